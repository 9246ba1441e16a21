// The text of a tensor, character by character PyTorch's (torch/_tensor_str.py): columns, summaries, suffixes.

import { bool, complexOf, type DType, getDefaultDtype, int64 } from '../core/dtype.ts'
import { pyExponential, pyFixed } from '../core/python-numbers.ts'
import { numelOf } from '../core/shape.ts'
import { data, dataAt, type TypedArray } from './data.ts'
import { printOptions } from './print-options.ts'
import type { Tensor } from './tensor.ts'

/**
 * PyTorch's `str(x)`: `tensor([1., 2.], requires_grad=True)`. Reads only the elements that are shown. Tensors on
 * `meta` and on devices that cannot be read synchronously print as `tensor(..., device='meta', size=(2, 3))`.
 */
export function formatTensor(x: Tensor): string {
  return formatWith(x, x)
}

/** The same on every device, with the values once they are there: `tensor([1., 2.], device='webgpu')`. */
export async function formatTensorAsync(x: Tensor): Promise<string> {
  if (x.device.type === 'cpu' || x.device.type === 'meta') return formatTensor(x)
  return formatWith(x, await x.detach().cpu())
}

/** The text of `x` with the elements of `host`, which are the same where they can be read. */
function formatWith(x: Tensor, host: Tensor): string {
  const prefix = 'tensor('
  const indent = prefix.length
  const { dtype } = x
  const readable = host.device.type === 'cpu'
  const empty = numelOf(x.sizes) === 0

  const suffixes: string[] = []
  if (x.device.type !== 'cpu') suffixes.push(`device='${x.device}'`)
  if (!readable || (empty && x.sizes.length !== 1) || (!empty && printOptions.edgeitems === 0))
    suffixes.push(`size=${tupleText(x.sizes)}`)
  // Elements tell int64, bool and complex numbers apart from the default dtype; where none are shown, the dtype is named.
  const showsDType = dtype === int64 || dtype === bool || dtype === complexOf(getDefaultDtype())
  const needsNoDType = dtype === getDefaultDtype() || (readable && !empty && showsDType)
  if (!needsNoDType) suffixes.push(`dtype=${dtype}`)
  const history = describeHistory(x)
  if (history !== null) suffixes.push(history)

  const contents = readable ? formatElements(host, indent) : '...'
  return addSuffixes(prefix + contents, suffixes, indent)
}

function describeHistory(x: Tensor): string | null {
  try {
    if (x.gradFn !== null) return `grad_fn=${x.gradFn}`
    return x.requiresGrad ? 'requires_grad=True' : null
  } catch {
    // A view that must not be used any more, as what it shows was changed in place, can still be looked at.
    return 'grad_fn=<Invalid>'
  }
}

/** PyTorch's text of an `nn.Parameter`. */
export function formatParameter(x: Tensor): string {
  return parameterText(formatTensor(x))
}

/** The same on every device, with the values once they are there. */
export async function formatParameterAsync(x: Tensor): Promise<string> {
  return parameterText(await formatTensorAsync(x))
}

const parameterText = (text: string): string => `Parameter containing:\n${text}`

function tupleText(sizes: readonly number[]): string {
  return sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(', ')})`
}

function addSuffixes(text: string, suffixes: readonly string[], indent: number): string {
  let result = text
  // One more than the last line's length, as PyTorch counts.
  let lineLength = text.length - text.lastIndexOf('\n') + 1
  for (const suffix of suffixes) {
    if (lineLength + suffix.length + 2 > printOptions.linewidth) {
      result += `,\n${' '.repeat(indent)}${suffix}`
      lineLength = indent + suffix.length
    } else {
      result += `, ${suffix}`
      lineLength += suffix.length + 2
    }
  }
  return `${result})`
}

/** The elements in brackets, every line but the first indented by `indent`. */
function formatElements(x: Tensor, indent: number): string {
  const { edgeitems, threshold } = printOptions
  const n = numelOf(x.sizes)
  if (n === 0) return '[]'
  const summarize = n > threshold
  // Which positions of each dimension are shown; null: all of them.
  const shown = x.sizes.map((size) => (summarize && size > 2 * edgeitems ? edges(size, edgeitems) : null))
  const elements = shown.every((positions) => positions === null)
    ? data(x)
    : dataAt(
        x,
        shown.map((positions, dim) => positions ?? Array.from({ length: x.sizes[dim] }, (_, i) => i)),
      )
  const format = formatterFor(elements, x.dtype)
  if (x.sizes.length === 0) return format.text(elements, 0)

  let at = 0
  const level = (dim: number, levelIndent: number): string => {
    const positions = shown[dim]
    const gap = positions === null ? -1 : edgeitems
    const count = positions === null ? x.sizes[dim] : positions.length
    if (dim === x.sizes.length - 1) {
      const texts: string[] = []
      for (let i = 0; i < count; i++) texts.push(format.text(elements, at++))
      if (gap === 0) texts.push('...')
      else if (gap > 0) texts.splice(gap, 0, ' ...')
      return formatVector(texts, format.width, levelIndent)
    }
    const slices: string[] = []
    for (let i = 0; i < count; i++) slices.push(level(dim + 1, levelIndent + 1))
    if (gap >= 0) slices.splice(gap, 0, '...')
    const separator = `,${'\n'.repeat(x.sizes.length - dim - 1)}${' '.repeat(levelIndent + 1)}`
    return `[${slices.join(separator)}]`
  }
  return level(0, indent)
}

/** The first and the last `count` positions of a dimension. */
function edges(size: number, count: number): number[] {
  return Array.from({ length: 2 * count }, (_, i) => (i < count ? i : size - 2 * count + i))
}

function formatVector(texts: readonly string[], width: number, indent: number): string {
  const perLine = Math.max(1, Math.floor((printOptions.linewidth - indent) / (width + 2)))
  const lines: string[] = []
  for (let i = 0; i < texts.length; i += perLine) lines.push(texts.slice(i, i + perLine).join(', '))
  return `[${lines.join(`,\n${' '.repeat(indent + 1)}`)}]`
}

interface ElementFormatter {
  /** Of the column; single texts may be longer (infinities do not count). */
  readonly width: number
  /** The text of element number `index`, filled up with spaces on the left. */
  text(elements: TypedArray, index: number): string
}

/** How the elements of one tensor print, decided from all that are shown: PyTorch's `_Formatter`. */
function formatterFor(elements: TypedArray, dtype: DType): ElementFormatter {
  if (dtype.kind === 'complex') return complexFormatter(elements as Float64Array)
  if (dtype.kind === 'float') {
    const { width, text } = numberFormatter(elements as Float64Array)
    return { width, text: (all, i) => text(all[i] as number) }
  }
  const text =
    dtype === bool ? (e: number | bigint) => (e ? 'True' : 'False') : (e: number | bigint) => String(e)
  let width = 1
  for (let i = 0; i < elements.length; i++) width = Math.max(width, text(elements[i]).length)
  return { width, text: (all, i) => text(all[i]).padStart(width) }
}

// Real and imaginary parts have columns of their own.
function complexFormatter(elements: Float64Array): ElementFormatter {
  const re = numberFormatter(elements.filter((_, i) => i % 2 === 0))
  const im = numberFormatter(elements.filter((_, i) => i % 2 === 1))
  return {
    width: re.width + im.width + 1,
    text: (all, i) => {
      const imaginary = `${im.text(all[2 * i + 1] as number)}j`.trimStart()
      return `${re.text(all[2 * i] as number)}${imaginary.startsWith('-') ? '' : '+'}${imaginary}`
    },
  }
}

interface NumberFormatter {
  readonly width: number
  text(value: number): string
}

function numberFormatter(elements: ArrayLike<number>): NumberFormatter {
  const { precision } = printOptions
  let min = Infinity
  let max = 0
  let whole = true
  for (let i = 0; i < elements.length; i++) {
    const magnitude = Math.abs(elements[i])
    if (!(magnitude > 0 && magnitude < Infinity)) continue
    min = Math.min(min, magnitude)
    max = Math.max(max, magnitude)
    if (!Number.isInteger(magnitude)) whole = false
  }
  const nothing = max === 0
  const scientific = !nothing && (printOptions.sciMode ?? (max / min > 1000 || max > 1e8 || min < 1e-4))
  const format = (value: number): string => {
    if (scientific) return pyExponential(value, precision)
    if (!whole) return pyFixed(value, precision)
    return Number.isFinite(value) ? `${pyFixed(value, 0)}.` : pyFixed(value, 0)
  }
  let width = 1
  for (let i = 0; i < elements.length; i++) {
    const value = elements[i]
    if (value !== 0 && Number.isFinite(value)) width = Math.max(width, format(value).length)
  }
  return { width, text: (value) => format(value).padStart(width) }
}
