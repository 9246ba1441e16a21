// torch.summary: runs a model once and notes what each layer takes, gives and holds. How that prints is in
// summary-table.ts.

import { noGrad } from '../autograd/mode.ts'
import type { DeviceLike } from '../core/device.ts'
import { type DType, float32 } from '../core/dtype.ts'
import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { rand, zeros } from '../ops/index.ts'
import { checkOptions, describe, isOptions } from '../ops/op.ts'
import { defaultGenerator, Generator } from '../random/generator.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'
import { entriesOf, isModule, nameOf } from './registry.ts'
import { type SummaryLayer, sizeAndBytes, tensorsIn } from './summary-layer.ts'
import {
  columns,
  ModelStatistics,
  rowSettings,
  type SummaryColumn,
  type SummaryRowSetting,
} from './summary-table.ts'
import { isLazy } from './uninitialized.ts'

/** The sizes of one input, or of several. The batch is part of them. */
export type SummaryInputSize = readonly number[] | readonly (readonly number[])[]

/** Options of `summary`. */
export interface SummaryOptions {
  /** The sizes of the input, or a list of sizes where `forward` takes several; random numbers are passed in. */
  inputSize?: SummaryInputSize | null
  /** The input itself, or the list of the arguments of `forward`; in place of `inputSize`. */
  inputData?: unknown
  /** The dtypes of the inputs of `inputSize`; default float32. Integers are zeros. */
  dtypes?: readonly DType[] | null
  /** Where the inputs of `inputSize` are made; default the device of the model's first parameter. */
  device?: DeviceLike | null
  /** Puts a dimension of one element here into each of `inputSize`, which then goes without the batch. */
  batchDim?: number | null
  /** `'train'` or `'eval'` for this call only; default `'same'`, each module as it is. */
  mode?: 'train' | 'eval' | 'same'
  /** How many levels below the model are shown; default 3. */
  depth?: number
  /** The columns, in this order; default `['outputSize', 'numParams']`. */
  colNames?: readonly SummaryColumn[] | null
  /** The width of a column in characters; default 25. */
  colWidth?: number
  /** What a row shows besides: default `['depth']`, the numbers behind the names. */
  rowSettings?: readonly SummaryRowSetting[] | null
  /** 1 prints the table at once, 2 each layer's parameters too; default 0. */
  verbose?: 0 | 1 | 2
}

const optionNames = [
  'inputSize',
  'inputData',
  'dtypes',
  'device',
  'batchDim',
  'mode',
  'depth',
  'colNames',
  'colWidth',
  'rowSettings',
  'verbose',
]

/**
 * A table of a model's layers: what they give, how many parameters they hold, and the memory and multiply-adds of a
 * call. The columns, the counting and the printed form are those of Python's torchinfo:
 *
 *     console.log(torch.summary(model, [16, 1, 28, 28]))
 *
 * The model is called once, without gradients. Buffers, random numbers and training modes are as before afterwards;
 * only lazy layers stay initialised. Without an input nothing is called, and only the parameters are counted.
 *
 * Multiply-adds: a parameter of a `Linear` counts once for each output position, one of a convolution once for each
 * output pixel, one of a recurrent or attention layer once for each step of each sequence, and one of any other layer
 * once for each item of the batch. Attention scores, activations and functions called in `forward` are not counted.
 *
 * @param model any module
 * @param input the sizes of the input (`[16, 1, 28, 28]`, or a list of such sizes), a tensor, or options
 * @returns the totals and the layers, which print as the table
 * @throws RuntimeError if the model cannot be called with this input; its `cause` is the model's error
 */
export function summary(model: Module, options?: SummaryOptions): ModelStatistics
export function summary(
  model: Module,
  input: SummaryInputSize | Tensor,
  options?: Omit<SummaryOptions, 'inputSize' | 'inputData'>,
): ModelStatistics
export function summary(model: Module, ...args: readonly unknown[]): ModelStatistics {
  if (!isModule(model)) throw new TypeError_(`summary() takes a module, but got ${describe(model)}`)
  const options = readOptions(args)
  const { depth = 3, colWidth = 25, verbose = 0, mode = 'same' } = options
  if (!Number.isInteger(depth) || depth < 0)
    throw new ValueError(`summary(): depth must be a whole number of levels from 0 on, got ${depth}`)
  if (!Number.isInteger(colWidth) || colWidth <= 0)
    throw new ValueError(`summary(): colWidth must be a number of characters above 0, got ${colWidth}`)
  checkChoices('verbose', [verbose], [0, 1, 2])
  checkChoices('mode', [mode], ['train', 'eval', 'same'])
  const inputs = inputsOf(model, options)
  const names = options.colNames ?? (inputs === null ? ['numParams'] : ['outputSize', 'numParams'])
  checkChoices('colNames', names, columns)
  const settings = options.rowSettings ?? ['depth']
  checkChoices('rowSettings', settings, rowSettings)

  const root = inputs === null ? structureOf(model) : layersOf(model, inputs, mode)
  const inputBytes = tensorsIn(inputs).reduce((sum, x) => sum + x.numel() * x.elementSize(), 0)
  const result = new ModelStatistics(root, inputs === null ? null : inputBytes, {
    depth,
    colWidth,
    columns: names,
    settings: new Set(settings),
    showParameters: verbose === 2,
  })
  if (verbose > 0) console.log(String(result))
  return result
}

function readOptions(args: readonly unknown[]): SummaryOptions {
  const [first] = args
  const hasInput = args.length > 0 && first !== undefined && !isOptions(first)
  const given = (hasInput ? args[1] : first) ?? {}
  if (args.length > (hasInput ? 2 : 1) || !isOptions(given))
    throw new TypeError_(
      `summary() takes its options as one object, but got ${describe(args[args.length - 1])}`,
    )
  checkOptions('summary', given, optionNames)
  const options = given as SummaryOptions
  if (hasInput && (options.inputSize != null || options.inputData != null))
    throw new TypeError_('summary() takes one input: the second argument, inputSize or inputData')
  if (options.inputSize != null && options.inputData != null)
    throw new TypeError_('summary() takes inputSize or inputData, not both')
  if (!hasInput) return options
  return first instanceof Tensor || holdsTensors(first)
    ? { ...options, inputData: first }
    : { ...options, inputSize: first as SummaryInputSize }
}

const holdsTensors = (value: unknown): boolean =>
  Array.isArray(value) && value.some((item) => item instanceof Tensor)

function checkChoices(option: string, given: readonly unknown[], known: readonly unknown[]): void {
  for (const value of given)
    if (!known.includes(value))
      throw new ValueError(`summary(): ${option} knows ${known.join(', ')}, but got ${describe(value)}`)
}

/** The arguments for `forward`; null where there is to be no call. */
function inputsOf(model: Module, options: SummaryOptions): unknown[] | null {
  const { inputData, inputSize, dtypes, device, batchDim } = options
  if (inputData != null) return Array.isArray(inputData) ? [...inputData] : [inputData]
  if (inputSize == null) return null
  const sizes = sizesOf(inputSize)
  const where = device ?? firstParameter(model)?.device
  // A generator of its own: the model's random numbers go on as if there had been no summary.
  const generator = new Generator()
  return sizes.map((size, i) => {
    const dtype = dtypes?.[i] ?? float32
    const floating = dtype.isFloatingPoint
    const x = floating
      ? rand(size, { generator, dtype, device: where })
      : zeros(size, { dtype, device: where })
    return batchDim == null ? x : x.unsqueeze(batchDim)
  })
}

function sizesOf(inputSize: SummaryInputSize): number[][] {
  const isSize = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((n) => Number.isInteger(n) && n > 0)
  if (Array.isArray(inputSize) && inputSize.length > 0) {
    if (isSize(inputSize)) return [inputSize]
    if (inputSize.every(isSize)) return inputSize.map((size) => [...size])
  }
  throw new TypeError_(
    `summary() takes the sizes of the input, such as [16, 1, 28, 28], or a list of sizes, one for each argument of forward; got ${describe(inputSize)}`,
  )
}

function firstParameter(model: Module): Tensor | undefined {
  return [...model.parameters()].find((parameter) => !isLazy(parameter))
}

function newLayer(module: Module, name: string, parent: SummaryLayer | null): SummaryLayer {
  const layer: SummaryLayer = {
    module,
    name,
    className: nameOf(module),
    depth: parent === null ? 0 : parent.depth + 1,
    inputSize: null,
    outputSize: null,
    outputBytes: 0,
    children: [],
  }
  parent?.children.push(layer)
  return layer
}

/** The layers as they are registered, where there is no call to watch. */
function structureOf(model: Module): SummaryLayer {
  const ancestors = new Set<Module>()
  const visit = (module: Module, name: string, parent: SummaryLayer | null): SummaryLayer => {
    const layer = newLayer(module, name, parent)
    if (ancestors.has(module)) return layer
    ancestors.add(module)
    for (const [childName, child] of entriesOf(module, 'module'))
      if (isModule(child)) visit(child, childName, layer)
    ancestors.delete(module)
    return layer
  }
  return visit(model, '', null)
}

/** Calls the model and returns the layers in the order of their calls. Everything is put back as it was. */
function layersOf(model: Module, inputs: readonly unknown[], mode: 'train' | 'eval' | 'same'): SummaryLayer {
  const watch = new CallWatch(model)
  const putBack = snapshot(model)
  try {
    if (mode !== 'same') model.train(mode === 'train')
    noGrad(() => (model as unknown as (...args: unknown[]) => unknown)(...inputs))
  } catch (error) {
    const reached = watch.finished.length === 0 ? 'no layer' : watch.finished.join(', ')
    throw new RuntimeError(
      `summary(): ${nameOf(model)} cannot be called with this input: ${error instanceof Error ? error.message : error}\nLayers that ran: ${reached}`,
      { cause: error },
    )
  } finally {
    watch.stop()
    putBack()
  }
  if (watch.root === null) throw new RuntimeError(`summary(): ${nameOf(model)} was not called`)
  return watch.root
}

/** Follows the calls of a model's layers through hooks. */
class CallWatch {
  root: SummaryLayer | null = null
  /** The layers whose `forward` returned, for error messages. */
  readonly finished: string[] = []
  private readonly running: SummaryLayer[] = []
  private readonly handles: { remove(): void }[] = []

  constructor(model: Module) {
    for (const module of model.modules()) {
      this.handles.push(module.registerForwardPreHook((target) => this.enter(target), { prepend: true }))
      this.handles.push(
        module.registerForwardHook((target, args, output) => this.leave(target, args, output)),
      )
    }
  }

  stop(): void {
    for (const handle of this.handles) handle.remove()
  }

  private enter(module: Module): undefined {
    const parent = this.running[this.running.length - 1]
    let layer: SummaryLayer
    if (parent === undefined) {
      layer = newLayer(module, '', null)
      this.root ??= layer
    } else layer = newLayer(module, ...this.place(parent, module))
    this.running.push(layer)
  }

  private leave(module: Module, args: readonly unknown[], output: unknown): undefined {
    const layer = this.running.pop()
    if (layer === undefined) return
    // A lazy layer has become its usual class by now.
    layer.className = nameOf(module)
    layer.inputSize = sizeAndBytes(args).size
    const { size, bytes } = sizeAndBytes(output)
    layer.outputSize = size
    layer.outputBytes = bytes
    this.finished.push(layer.name === '' ? layer.className : `${layer.name} (${layer.className})`)
  }

  /** A module's name and the layer that it hangs on: its caller, or a ModuleList or such between the two. */
  private place(caller: SummaryLayer, module: Module): [string, SummaryLayer] {
    const path = pathTo(caller.module, module)
    let parent = caller
    for (const [name, container] of path.slice(0, -1)) {
      const last = parent.children[parent.children.length - 1]
      parent = last?.module === container ? last : newLayer(container, name, parent)
    }
    return [path.at(-1)?.[0] ?? '', parent]
  }
}

/** The names and modules on the shortest way down from a module to one below it; empty if there is none. */
function pathTo(from: Module, to: Module): [string, Module][] {
  const seen = new Set<Module>([from])
  let level: { module: Module; path: [string, Module][] }[] = [{ module: from, path: [] }]
  while (level.length > 0) {
    const next: typeof level = []
    for (const { module, path } of level)
      for (const [name, child] of entriesOf(module, 'module')) {
        if (!isModule(child) || seen.has(child)) continue
        seen.add(child)
        const longer: [string, Module][] = [...path, [name, child]]
        if (child === to) return longer
        next.push({ module: child, path: longer })
      }
    level = next
  }
  return []
}

/** Notes what a call may change, and returns the function that puts it back. */
function snapshot(model: Module): () => void {
  const modes = Array.from(model.modules(), (module) => [module, module.training] as const)
  const isInitialised = ![...model.parameters()].some(isLazy)
  const random = isInitialised ? defaultGenerator.stateBytes() : null
  const buffers = modes.flatMap(([module]) =>
    Array.from(entriesOf(module, 'buffer'))
      .filter(([, value]) => value instanceof Tensor && !isLazy(value))
      .map(([name, value]) => {
        const tensor = value as Tensor
        return { module, name, tensor, version: tensor.version, values: tensor.detach().clone() }
      }),
  )
  return () => {
    for (const [module, training] of modes) module.training = training
    // Weights that were drawn during the call must not be drawn again.
    if (random !== null) defaultGenerator.setState(random)
    for (const { module, name, tensor, version, values } of buffers) {
      ;(module as unknown as Record<string, unknown>)[name] = tensor
      if (tensor.version !== version) noGrad(() => tensor.copy_(values))
    }
  }
}
