// One layer of a summary: what was seen of its call, and the parameters and multiply-adds that follow from it.

import { numelOf } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'
import { isLazy } from './uninitialized.ts'

/** A layer as it was called; layers that are called several times are there several times. */
export interface SummaryLayer {
  readonly module: Module
  /** The name of the field that holds it; empty for the model itself. */
  readonly name: string
  className: string
  /** 0 for the model, 1 for its layers, and so on. */
  readonly depth: number
  /** The sizes of the first tensor passed in, of the first one given back; null for what was not called. */
  inputSize: readonly number[] | null
  outputSize: readonly number[] | null
  outputBytes: number
  /** What was called inside, in the order of the calls. */
  readonly children: SummaryLayer[]
}

/** A parameter with what counts of it: pruned elements do not. */
export interface CountedParameter {
  readonly parameter: Tensor
  /** The dotted name below its layer, without the `_orig` of a pruned one. */
  readonly name: string
  readonly count: number
}

/** What a row shows of a layer's parameters. */
export interface LayerStatistics {
  /** The distinct parameters of the layer and all below it that have a shape. */
  readonly parameters: readonly CountedParameter[]
  readonly numParams: number
  readonly trainableParams: number
  readonly paramBytes: number
  /** 0 for layers whose children have rows of their own. */
  readonly multAdds: number
}

/** Counts a layer's parameters and, from its output's sizes, its multiply-adds. */
export function layerStatistics(layer: SummaryLayer): LayerStatistics {
  const parameters = countedParameters(layer.module)
  const total = (count: (p: CountedParameter) => number) => parameters.reduce((sum, p) => sum + count(p), 0)
  return {
    parameters,
    numParams: total((p) => p.count),
    trainableParams: total((p) => (p.parameter.requiresGrad ? p.count : 0)),
    paramBytes: total((p) => p.count * p.parameter.elementSize()),
    multAdds: layer.children.length === 0 ? multAdds(layer, parameters) : 0,
  }
}

function countedParameters(module: Module): CountedParameter[] {
  const result: CountedParameter[] = []
  const buffers = new Map(module.namedBuffers())
  for (const [name, parameter] of module.namedParameters()) {
    if (isLazy(parameter)) continue
    const pruned = name.endsWith('_orig') ? name.slice(0, -'_orig'.length) : null
    const mask = pruned === null ? undefined : buffers.get(`${pruned}_mask`)
    result.push(
      pruned === null || mask === undefined
        ? { parameter, name, count: parameter.numel() }
        : { parameter, name: pruned, count: Number(mask.sum().item()) },
    )
  }
  return result
}

function multAdds(
  { className, module, outputSize }: SummaryLayer,
  parameters: readonly CountedParameter[],
): number {
  if (outputSize === null) return 0
  return parameters.reduce(
    (sum, { name, count }) => sum + count * uses(className, module, outputSize, name),
    0,
  )
}

/** How often an element of a parameter is multiplied or added in one call. */
function uses(className: string, module: Module, outputSize: readonly number[], parameter: string): number {
  if (parameter === 'weight' || parameter === 'bias') {
    const { kernelSize } = module as { kernelSize?: unknown }
    if (className.includes('Conv') && Array.isArray(kernelSize)) {
      // Without a batch, the channels come first.
      const batch = outputSize.length > kernelSize.length + 1 ? outputSize[0] : 1
      return batch * numelOf(outputSize.slice(outputSize.length - kernelSize.length))
    }
    return className.includes('Linear') ? numelOf(outputSize.slice(0, -1)) : (outputSize[0] ?? 1)
  }
  // weight_ih_l0, in_proj_bias, out_proj.weight: layers over sequences.
  return /weight|bias/.test(parameter) ? numelOf(outputSize.slice(0, 2)) : 0
}

/** The sizes and bytes of the first tensor in a value, however deep; `null` and 0 where there is none. */
export function sizeAndBytes(value: unknown): { size: readonly number[] | null; bytes: number } {
  const [first] = tensorsIn(value)
  if (first === undefined) return { size: null, bytes: 0 }
  return { size: [...first.sizes], bytes: first.numel() * first.elementSize() }
}

/** All tensors in arguments or a result: arrays, Maps, objects of tensors such as packed sequences. */
export function tensorsIn(value: unknown, seen: Set<unknown> = new Set()): Tensor[] {
  if (value instanceof Tensor) return [value]
  if (typeof value !== 'object' || value === null || seen.has(value)) return []
  seen.add(value)
  const items = value instanceof Map ? [...value.values()] : Object.values(value)
  return items.flatMap((item) => tensorsIn(item, seen))
}
