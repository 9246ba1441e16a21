// Modules in .safetensors files: tensors that share memory, such as tied weights, are written once.

import { RuntimeError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { LoadSource } from './file-sources.ts'
import { loadFile, type SaveOptions, saveFile } from './safetensors-file.ts'
import { tensorBridge } from './tensor-bridge.ts'

/** What is needed of a module. */
interface ModuleLike {
  stateDict(): Map<string, Tensor>
  loadStateDict(
    stateDict: ReadonlyMap<string, Tensor>,
    options: { strict: boolean },
  ): { readonly missingKeys: string[]; readonly unexpectedKeys: string[] }
}

/**
 * Writes the state dict of a module. Of tensors that show the same memory the first in alphabetical order is written, and
 * the metadata name it for the others, as the Python package does. Throws as `saveFile`.
 */
export function saveModel(model: ModuleLike, target: string | URL, options: SaveOptions = {}): void {
  const { kept, removed } = withoutDuplicates(model.stateDict())
  const given = options.metadata ?? {}
  const metadata = new Map(given instanceof Map ? given : Object.entries(given))
  for (const [name, keptName] of removed) if (!metadata.has(name)) metadata.set(name, keptName)
  const contiguous = new Map([...kept].map(([name, tensor]) => [name, tensor.contiguous()]))
  saveFile(contiguous, target, metadata.size === 0 ? {} : { metadata })
}

/**
 * Copies the tensors of a file into a module, and returns the names that the file lacks and those that the module
 * lacks. Names left out because they share memory with others are not missing. With `strict`, the default, throws
 * RuntimeError where there are any, before anything is copied.
 */
export function loadModel(
  model: ModuleLike,
  source: LoadSource,
  { strict = true }: { readonly strict?: boolean } = {},
): [missing: string[], unexpected: string[]] {
  const tensors = loadFile(source)
  const state = model.stateDict()
  const { removed } = withoutDuplicates(state)
  const isShared = (name: string): boolean => {
    const kept = removed.get(name) ?? name
    // The file may have kept another of the names.
    return [kept, ...[...removed].filter((pair) => pair[1] === kept).map((pair) => pair[0])].some((other) =>
      tensors.has(other),
    )
  }
  const missing = [...state.keys()].filter((name) => !tensors.has(name) && !isShared(name))
  const unexpected = [...tensors.keys()].filter((name) => !state.has(name))
  if (strict && missing.length + unexpected.length > 0)
    throw new RuntimeError(
      `Error(s) in loading state_dict for ${model.constructor.name}:${listed('Missing', missing)}${listed('Unexpected', unexpected)}`,
    )
  model.loadStateDict(tensors, { strict: false })
  return [missing, unexpected]
}

function listed(kind: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `\n    ${kind} key(s) in state_dict: ${pyRepr([...names])}`
}

/** One name for all tensors that show the same elements; `removed` leads from the others to it. */
function withoutDuplicates(state: ReadonlyMap<string, Tensor>): {
  kept: Map<string, Tensor>
  removed: Map<string, string>
} {
  const kept = new Map<string, Tensor>()
  const removed = new Map<string, string>()
  const firstNames = new Map<object, Map<string, string>>()
  for (const name of [...state.keys()].sort()) {
    const tensor = state.get(name)!
    const description = tensorBridge.describe(tensor)!
    const { storage, dtype, sizes, strides, offset } = description
    const names = firstNames.get(storage) ?? new Map<string, string>()
    firstNames.set(storage, names)
    const extent = `${dtype} ${offset} ${sizes} ${strides}`
    const first = names.get(extent)
    if (first !== undefined && tensor.numel() > 0) removed.set(name, first)
    else {
      names.set(extent, name)
      kept.set(name, tensor)
    }
  }
  return { kept, removed }
}
