// What torch.summary returns: the totals of a model, and the table that they print as.

import { pyRepr } from '../core/python.ts'
import { type LayerStatistics, layerStatistics, type SummaryLayer } from './summary-layer.ts'
import { isLazy } from './uninitialized.ts'

/** The columns that a summary can have. */
export const columns = [
  'kernelSize',
  'groups',
  'inputSize',
  'outputSize',
  'numParams',
  'paramsPercent',
  'multAdds',
  'trainable',
] as const
export type SummaryColumn = (typeof columns)[number]

/** What the rows of a summary can show or leave out. */
export const rowSettings = ['depth', 'varNames', 'asciiOnly', 'hideRecursiveLayers'] as const
export type SummaryRowSetting = (typeof rowSettings)[number]

/** How the table is to look. */
export interface TableFormat {
  readonly depth: number
  readonly colWidth: number
  readonly columns: readonly SummaryColumn[]
  readonly settings: ReadonlySet<SummaryRowSetting>
  /** Whether each layer's parameters have rows of their own. */
  readonly showParameters: boolean
}

const titles: Record<SummaryColumn, string> = {
  kernelSize: 'Kernel Shape',
  groups: 'Groups',
  inputSize: 'Input Shape',
  outputSize: 'Output Shape',
  numParams: 'Param #',
  paramsPercent: 'Param %',
  multAdds: 'Mult-Adds',
  trainable: 'Trainable',
}

const none = '--'

/** A row: a layer with its numbers. */
interface Row extends LayerStatistics {
  readonly layer: SummaryLayer
  /** The how-manieth layer of its depth it is, from 1. */
  readonly index: number
  /** Whether its parameters were counted in an earlier row. */
  readonly isRecursive: boolean
  /** What it holds besides the layers below it. */
  readonly ownParams: number
  /** The multiply-adds of the layer and all below it. */
  readonly allMultAdds: number
}

/** One layer of `ModelStatistics.layers`. */
export interface LayerSummary {
  /** The field that holds the layer; empty for the model. */
  readonly name: string
  readonly className: string
  readonly depth: number
  readonly inputSize: readonly number[] | null
  readonly outputSize: readonly number[] | null
  /** The parameters of the layer and all below it. */
  readonly numParams: number
  readonly trainableParams: number
  /** The multiply-adds of the layer and all below it. */
  readonly multAdds: number
  /** Whether an earlier layer of the list is the same one, or holds the same parameters. */
  readonly isRecursive: boolean
}

/** The result of `summary`: totals and layers. It prints as a table. */
export class ModelStatistics {
  /** The number of elements of all parameters; shared ones count once. */
  readonly totalParams: number
  /** Those that require gradients. */
  readonly trainableParams: number
  /** The multiply-adds of one call with this input. */
  readonly totalMultAdds: number
  /** The bytes of the input; 0 without one. */
  readonly totalInputBytes: number
  /** The bytes of the outputs of layers with parameters, twice: values and gradients. */
  readonly totalOutputBytes: number
  /** The bytes of the parameters. */
  readonly totalParamBytes: number
  /** The layers in the order of their calls, the model first. */
  readonly layers: readonly LayerSummary[]
  readonly #rows: readonly Row[]
  readonly #format: TableFormat
  readonly #wasCalled: boolean

  /** Made by `summary`. `inputBytes` is null where the model was not called. */
  constructor(root: SummaryLayer, inputBytes: number | null, format: TableFormat) {
    const rows = rowsOf(root)
    const leaves = rows.filter(({ layer }) => layer.children.length === 0)
    this.#rows = rows
    this.#format = format
    this.#wasCalled = inputBytes !== null
    this.totalParams = rows[0].numParams
    this.trainableParams = rows[0].trainableParams
    this.totalParamBytes = rows[0].paramBytes
    this.totalMultAdds = rows[0].allMultAdds
    this.totalInputBytes = inputBytes ?? 0
    this.totalOutputBytes = leaves.reduce(
      (sum, row) => sum + (row.numParams > 0 ? 2 * row.layer.outputBytes : 0),
      0,
    )
    this.layers = rows.map(({ layer, numParams, trainableParams, allMultAdds, isRecursive }) => ({
      name: layer.name,
      className: layer.className,
      depth: layer.depth,
      inputSize: layer.inputSize,
      outputSize: layer.outputSize,
      numParams,
      trainableParams,
      multAdds: allMultAdds,
      isRecursive,
    }))
  }

  /** The table. */
  toString(): string {
    const format = this.#format
    const shown = this.#rows.filter(
      ({ layer, isRecursive }) =>
        layer.depth <= format.depth && !(isRecursive && format.settings.has('hideRecursiveLayers')),
    )
    const nameWidth = widthOfNames(this.#rows, format)
    const line = '='.repeat(nameWidth + format.columns.length * format.colWidth)
    const row = (name: string, cells: Partial<Record<SummaryColumn, string>>): string => {
      const texts = format.columns.map((column) => (cells[column] ?? '').padEnd(format.colWidth))
      return [name.padEnd(nameWidth), ...texts].join(' ').trimEnd()
    }
    const title = `Layer (type${format.settings.has('varNames') ? ' (var_name)' : ''}${format.settings.has('depth') ? ':depth-idx' : ''})`
    const lines = [line, row(title, titles), line]
    for (const shownRow of shown) {
      const { depth } = shownRow.layer
      lines.push(row(branch(depth, format) + nameOfRow(shownRow, format), this.#cells(shownRow)))
      if (format.showParameters)
        for (const [name, cells] of parameterCells(shownRow))
          lines.push(row(branch(depth + 1, format) + name, cells))
    }
    lines.push(line)
    lines.push(`Total params: ${grouped(this.totalParams)}`)
    lines.push(`Trainable params: ${grouped(this.trainableParams)}`)
    lines.push(`Non-trainable params: ${grouped(this.totalParams - this.trainableParams)}`)
    if (this.#wasCalled) {
      const { totalInputBytes, totalOutputBytes, totalParamBytes } = this
      lines.push(`Total mult-adds${inUnits(this.totalMultAdds, '')}`, line)
      lines.push(`Input size${inUnits(totalInputBytes, 'B')}`)
      lines.push(`Forward/backward pass size${inUnits(totalOutputBytes, 'B')}`)
      lines.push(`Params size${inUnits(totalParamBytes, 'B')}`)
      lines.push(`Estimated Total Size${inUnits(totalInputBytes + totalOutputBytes + totalParamBytes, 'B')}`)
    }
    lines.push(line)
    return lines.join('\n')
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  #cells(row: Row): Record<SummaryColumn, string> {
    const { layer, isRecursive, numParams, trainableParams, ownParams } = row
    const { kernelSize, groups } = layer.module as { kernelSize?: unknown; groups?: unknown }
    const standsForAll = layer.children.length === 0 || layer.depth === this.#format.depth
    const count = standsForAll ? numParams : ownParams
    const isSize = typeof kernelSize === 'number' || Array.isArray(kernelSize)
    return {
      kernelSize: isSize ? pyRepr(Array.isArray(kernelSize) ? Array.from(kernelSize) : kernelSize) : none,
      groups: typeof groups === 'number' ? String(groups) : none,
      inputSize: sizeText(layer.inputSize),
      outputSize: sizeText(layer.outputSize),
      numParams: countText(row, count, standsForAll),
      paramsPercent: percentText(isRecursive && numParams > 0, count, this.totalParams),
      multAdds: standsForAll && row.allMultAdds > 0 ? grouped(row.allMultAdds) : none,
      trainable:
        numParams === 0
          ? none
          : trainableParams === 0
            ? 'False'
            : trainableParams === numParams
              ? 'True'
              : 'Partial',
    }
  }
}

function rowsOf(root: SummaryLayer): Row[] {
  const rows: Row[] = []
  const counts: number[] = []
  const seenModules = new Set<unknown>()
  const seenParameters = new Set<unknown>()
  const visit = (layer: SummaryLayer): Row => {
    const place = rows.length
    counts[layer.depth] = (counts[layer.depth] ?? 0) + 1
    const index = counts[layer.depth]
    const statistics = layerStatistics(layer)
    const direct = [...layer.module.parameters({ recurse: false })].filter((p) => !isLazy(p))
    const isTied = direct.length > 0 && direct.every((p) => seenParameters.has(p))
    const isRecursive = seenModules.has(layer.module) || isTied
    seenModules.add(layer.module)
    for (const parameter of direct) seenParameters.add(parameter)
    rows.push(null as never)
    const below = layer.children.map(visit)
    const shown = new Set(below.flatMap((child) => child.parameters.map((p) => p.parameter)))
    const row: Row = {
      ...statistics,
      layer,
      index,
      isRecursive,
      ownParams: statistics.parameters.reduce((sum, p) => sum + (shown.has(p.parameter) ? 0 : p.count), 0),
      allMultAdds: below.reduce((sum, child) => sum + child.allMultAdds, statistics.multAdds),
    }
    rows[place] = row
    return row
  }
  visit(root)
  return rows
}

function nameOfRow({ layer, index }: Row, { settings }: TableFormat): string {
  const name = settings.has('varNames') && layer.name !== '' ? ` (${layer.name})` : ''
  const place = settings.has('depth') && layer.depth > 0 ? `: ${layer.depth}-${index}` : ''
  return `${layer.className}${name}${place}`
}

/** The column of names is as wide as the longest needs, in steps of 5, and at least 40. */
function widthOfNames(rows: readonly Row[], format: TableFormat): number {
  const longest = Math.max(...rows.map((row) => nameOfRow(row, format).length + 5 * row.layer.depth + 1))
  return longest < 40 ? 40 : 5 * Math.ceil(longest / 5)
}

function branch(depth: number, { settings }: TableFormat): string {
  const isAscii = settings.has('asciiOnly')
  if (depth === 0) return ''
  if (depth === 1) return isAscii ? '+ ' : '├─'
  return (isAscii ? '|    ' : '│    ').repeat(depth - 1) + (isAscii ? '+ ' : '└─')
}

function parameterCells({ parameters, layer }: Row): [string, Partial<Record<SummaryColumn, string>>][] {
  const own = parameters.filter(({ name }) => layer.depth > 0 || !name.includes('.'))
  return own.map(({ name, parameter, count }, i) => {
    const sizes = [...parameter.sizes]
    // A weight's sizes as inputs and outputs, in this order.
    if (name === 'weight' && sizes.length > 1) [sizes[0], sizes[1]] = [sizes[1], sizes[0]]
    const corner = i === own.length - 1 ? '└─' : '├─'
    return [name, { kernelSize: pyRepr(sizes), numParams: corner + grouped(count) }]
  })
}

const sizeText = (size: readonly number[] | null): string =>
  size === null || size.length === 0 ? none : pyRepr([...size])

/** 1234567 as 1,234,567. */
const grouped = (count: number): string => count.toLocaleString('en-US')

function countText(
  { numParams, trainableParams, isRecursive }: Row,
  count: number,
  standsForAll: boolean,
): string {
  if (numParams === 0) return none
  if (isRecursive) return '(recursive)'
  if (standsForAll) return trainableParams === 0 ? `(${grouped(count)})` : grouped(count)
  return count > 0 ? grouped(count) : none
}

function percentText(isRecursive: boolean, count: number, total: number): string {
  if (total > 0 && isRecursive) return '(recursive)'
  return count === 0 ? `     ${none}` : `${((100 * count) / total).toFixed(2)}%`.padStart(7)
}

/** A number as `: 12`, ` (k): 1.20`, ` (MB): 3`: two decimals where it is not whole. */
function inUnits(count: number, unit: 'B' | ''): string {
  const steps = [
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const
  const step = steps.find(([, size]) => count >= size)
  const value = step === undefined ? count : count / step[1]
  const decimals = Number.isInteger(value) ? 0 : 2
  const text = value.toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  })
  return `${step === undefined ? '' : ` (${step[0]}${unit})`}: ${text}`
}
