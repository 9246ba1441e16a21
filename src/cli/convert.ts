// `antorcha convert`: from one format to another, by the name of the target.

import * as torch from '../index.ts'
import { contentsOf, readFile } from './read-file.ts'
import { formatBytes, printable, type Terminal, UsageError } from './terminal.ts'

export interface ConvertOptions {
  readonly json: boolean
  /** Whether a target that exists is replaced. */
  readonly force: boolean
  /** Which part of a checkpoint is meant: `model`, `state.dict`. */
  readonly key: string | undefined
}

type Target = 'torch' | 'safetensors' | 'npz' | 'npy'

const targets: readonly (readonly [RegExp, Target])[] = [
  [/\.(pt|pth|bin|ckpt)$/i, 'torch'],
  [/\.safetensors$/i, 'safetensors'],
  [/\.npz$/i, 'npz'],
  [/\.npy$/i, 'npy'],
]

/** Writes what `source` holds to `target`. Throws UsageError where the target has no format or cannot hold it. */
export async function convert(
  source: string,
  target: string,
  options: ConvertOptions,
  terminal: Terminal,
): Promise<void> {
  const format = targets.find(([pattern]) => pattern.test(target))?.[1]
  if (format === undefined)
    throw new UsageError(
      `the name of the target says its format: .pt, .pth, .bin, .ckpt, .safetensors, .npz or .npy, but it is '${target}'`,
    )
  const { existsSync, statSync } = await import('node:fs')
  if (existsSync(target) && !options.force)
    throw new UsageError(`'${target}' exists already; --force replaces it`)
  const file = await readFile(source)
  const value = select(file.value, options.key)
  const notes: string[] = []
  const count = write(value, target, format, file.metadata, notes)
  const bytes = statSync(target).size
  if (options.json)
    terminal.out(JSON.stringify({ source, target, format, tensors: count, bytes, notes }, null, 2))
  else {
    for (const note of notes) terminal.err(printable(note))
    terminal.out(`${target}: ${count} ${count === 1 ? 'tensor' : 'tensors'}, ${formatBytes(bytes)}`)
  }
}

/** The part of the content that a path of keys names. */
function select(value: unknown, key: string | undefined): unknown {
  if (key === undefined) return value
  let part = value
  let rest = key
  while (rest !== '') {
    const entries = part instanceof Map ? [...part] : Array.isArray(part) ? [...part.entries()] : []
    const found = entries.find(([name]) => rest === String(name) || rest.startsWith(`${String(name)}.`))
    if (found === undefined)
      throw new UsageError(
        `there is no '${key}'${
          entries.length === 0
            ? ''
            : `; there are ${entries
                .map(([name]) => String(name))
                .slice(0, 20)
                .join(', ')}`
        }`,
      )
    part = found[1]
    rest = rest.slice(String(found[0]).length + 1)
  }
  return part
}

function write(
  value: unknown,
  target: string,
  format: Target,
  metadata: ReadonlyMap<string, string> | null,
  notes: string[],
): number {
  const { tensors, values, modules } = contentsOf(value)
  if (tensors.length === 0) throw new UsageError('there are no tensors to convert')
  if (format === 'torch') {
    // A module becomes its state dict, which every program can load.
    torch.save(modules.length > 0 ? namedTensors(tensors) : value, target)
    if (metadata !== null && metadata.size > 0) notes.push('the metadata are left out: a .pt file has none')
    return tensors.length
  }
  if (values.length > 0)
    throw new UsageError(
      `a ${format} file holds tensors only, but there is also ${values
        .slice(0, 5)
        .map(({ name }) => `'${name}'`)
        .join(
          ', ',
        )}${values.length > 5 ? ` and ${values.length - 5} more` : ''}; --key takes one part, such as --key model`,
    )
  if (format === 'npy') {
    if (tensors.length > 1)
      throw new UsageError(`a .npy file holds one tensor, but there are ${tensors.length}`)
    torch.npy.save(tensors[0].tensor, target)
    return 1
  }
  const named = namedTensors(tensors)
  if (format === 'npz') torch.npy.savez(named, target)
  else torch.safetensors.saveFile(separated(named, notes), target, metadata === null ? {} : { metadata })
  return tensors.length
}

function namedTensors(tensors: readonly { name: string; tensor: torch.Tensor }[]): Map<string, torch.Tensor> {
  return new Map(tensors.map(({ name, tensor }) => [name === '' ? 'tensor' : name, tensor.detach()]))
}

/** Tensors that share nothing and lie in C order, as safetensors files need them. */
function separated(named: ReadonlyMap<string, torch.Tensor>, notes: string[]): Map<string, torch.Tensor> {
  const owners = new Map<object, string>()
  const result = new Map<string, torch.Tensor>()
  for (const [name, tensor] of named) {
    const owner = owners.get(tensor.storage)
    if (owner === undefined) owners.set(tensor.storage, name)
    else notes.push(`${name} shares its memory with ${owner}: a safetensors file has both, each by itself`)
    result.set(name, owner === undefined ? tensor.contiguous() : tensor.clone().contiguous())
  }
  return result
}
