// `antorcha inspect`: what is in a file, without running anything in it.

import * as torch from '../index.ts'
import { contentsOf, type FileContent, type FoundTensor, readFile } from './read-file.ts'
import { formatBytes, formatCount, formatTable, printable, type Terminal } from './terminal.ts'

export interface InspectOptions {
  readonly json: boolean
  /** Whether values are read, for minimum, maximum, mean and a histogram of every tensor. */
  readonly histogram: boolean
  /** Only tensors whose names contain this. */
  readonly only: string | undefined
}

/** How the elements of a tensor are distributed. */
interface Distribution {
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly std: number | null
  readonly notFinite: number
  /** Counts of elements in intervals of equal width from `min` to `max`. */
  readonly histogram: readonly number[]
}

interface TensorReport {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly elements: number
  readonly bytes: number
  readonly parameter: boolean
  readonly contiguous: boolean
  /** The first tensor over the same storage; null for that one itself. */
  readonly sharesWith: string | null
  readonly distribution?: Distribution
}

const bins = 16
// Longer values are cut, so that a line stays a line.
const maxValueLength = 100
const maxValues = 60

/** Prints what a file holds. */
export async function inspect(path: string, options: InspectOptions, terminal: Terminal): Promise<void> {
  const { stat } = await import('node:fs/promises')
  const file = await readFile(path)
  const { size } = await stat(path)
  const contents = contentsOf(file.value)
  const tensors = reports(contents.tensors, options)
  const summary = {
    file: path,
    format: file.format,
    fileBytes: size,
    tensors,
    elements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    parameters: countOnce(contents.tensors.filter(({ tensor }) => tensor instanceof torch.nn.Parameter)),
    storageBytes: storageBytes(contents.tensors),
    metadata: file.metadata === null ? null : Object.fromEntries(file.metadata),
    values: contents.values.map(({ name, value }) => ({ name, value: shown(value) })),
    modules: contents.modules.map(({ name, value }) => ({ name, text: String(value) })),
  }
  if (options.json) terminal.out(JSON.stringify(summary, null, 2))
  else print(summary, file, terminal)
}

function reports(found: readonly FoundTensor[], { histogram, only }: InspectOptions): TensorReport[] {
  const owners = new Map<object, string>()
  return found.flatMap(({ name, tensor }) => {
    const owner = owners.get(tensor.storage) ?? null
    if (owner === null) owners.set(tensor.storage, name)
    if (only !== undefined && !name.includes(only)) return []
    const elements = tensor.numel()
    return [
      {
        name,
        dtype: tensor.dtype.name,
        shape: [...tensor.shape],
        elements,
        bytes: elements * tensor.dtype.itemsize,
        parameter: tensor instanceof torch.nn.Parameter,
        contiguous: tensor.isContiguous(),
        sharesWith: owner,
        ...(histogram ? { distribution: distributionOf(tensor) } : {}),
      },
    ]
  })
}

/** Elements of tensors, each tensor object once: tied parameters are the same object. */
function countOnce(found: readonly FoundTensor[]): number {
  const tensors = new Set(found.map(({ tensor }) => tensor))
  return [...tensors].reduce((sum, tensor) => sum + tensor.numel(), 0)
}

function storageBytes(found: readonly FoundTensor[]): number {
  const storages = new Set(found.map(({ tensor }) => tensor.storage))
  return [...storages].reduce((sum, { nbytes }) => sum + nbytes, 0)
}

function distributionOf(tensor: torch.Tensor): Distribution | undefined {
  if (tensor.numel() === 0 || tensor.dtype.name.startsWith('complex')) return undefined
  const values = tensor.detach().double().flatten()
  const finite = values.maskedSelect(values.isfinite())
  const count = finite.numel()
  if (count === 0) return undefined
  const min = Number(finite.min().item())
  const max = Number(finite.max().item())
  return {
    min,
    max,
    mean: Number(finite.mean().item()),
    std: count > 1 ? Number(finite.std().item()) : null,
    notFinite: tensor.numel() - count,
    histogram: torch.histc(finite, { bins, min, max }).tolist() as number[],
  }
}

function oneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n')
}

/** A value as Python writes it, in one line. */
function shown(value: unknown): string {
  // A tuple of one value prints that value between `(` and `,)`.
  const text = oneLine(String(torch.Tuple.of(value)).slice(1, -2).replace(/\s+/g, ' '))
  return text.length > maxValueLength ? `${text.slice(0, maxValueLength - 3)}...` : text
}

const formatNames = {
  torch: 'checkpoint of torch.save',
  safetensors: 'safetensors',
  npy: 'NumPy array',
  npz: 'NumPy archive',
} as const

interface Summary {
  readonly fileBytes: number
  readonly tensors: readonly TensorReport[]
  readonly elements: number
  readonly parameters: number
  readonly storageBytes: number
  readonly metadata: Record<string, string> | null
  readonly values: readonly { name: string; value: string }[]
  readonly modules: readonly { name: string; text: string }[]
}

function print(summary: Summary, { path, format }: FileContent, terminal: Terminal): void {
  const { tensors, metadata, values, modules } = summary
  terminal.out(`${path}: ${formatNames[format]}, ${formatBytes(summary.fileBytes)}`)
  const parameters = summary.parameters === 0 ? '' : `, ${formatCount(summary.parameters)} of parameters`
  terminal.out(
    `${formatCount(tensors.length)} ${tensors.length === 1 ? 'tensor' : 'tensors'}, ${formatCount(summary.elements)} elements${parameters}, ${formatBytes(summary.storageBytes)} in memory`,
  )
  for (const { name, text } of modules)
    terminal.out(`\n${name === '' ? '' : `${oneLine(name)}: `}${printable(text)}`)
  if (tensors.length > 0) terminal.out('')
  const rows = tensors.map((tensor) => [
    tensor.name === '' ? '(the tensor)' : oneLine(tensor.name),
    tensor.dtype,
    `[${tensor.shape.join(', ')}]`,
    formatBytes(tensor.bytes),
    [
      ...(tensor.sharesWith === null ? [] : [`shares the storage of ${oneLine(tensor.sharesWith)}`]),
      ...(tensor.contiguous ? [] : ['not contiguous']),
    ].join(', '),
  ])
  for (const [i, line] of formatTable(rows, [3]).entries()) {
    terminal.out(line)
    const { distribution } = tensors[i]
    if (distribution !== undefined) terminal.out(`    ${describeDistribution(distribution)}`)
  }
  if (metadata !== null) {
    terminal.out('\nmetadata')
    for (const line of formatTable(
      Object.entries(metadata).map(([key, value]) => [`  ${oneLine(key)}`, shown(value)]),
    ))
      terminal.out(line)
  }
  if (values.length === 0) return
  terminal.out('\nvalues')
  for (const line of formatTable(
    values.slice(0, maxValues).map(({ name, value }) => [`  ${oneLine(name)}`, value]),
  ))
    terminal.out(line)
  if (values.length > maxValues)
    terminal.out(`  ... and ${values.length - maxValues} more (--json lists all)`)
}

const bars = ' ▁▂▃▄▅▆▇█'

function describeDistribution({ min, max, mean, std, notFinite, histogram }: Distribution): string {
  const number = (x: number) => String(Number(x.toPrecision(4)))
  const highest = Math.max(...histogram)
  const line = histogram.map((n) => bars[n === 0 ? 0 : Math.max(1, Math.round((8 * n) / highest))]).join('')
  const rest = `${std === null ? '' : `, std ${number(std)}`}${notFinite === 0 ? '' : `, ${formatCount(notFinite)} not finite`}`
  return `${number(min)} |${line}| ${number(max)}  mean ${number(mean)}${rest}`
}
