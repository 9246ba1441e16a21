// Looking up rows of a table by number: embedding, embeddingBag, and the inverse view of a class as a row, oneHot.

import { noGrad } from '../autograd/mode.ts'
import { int64 } from '../core/dtype.ts'
import { AssertionError, NotImplementedError, RuntimeError, ValueError } from '../core/errors.ts'
import { sameSizes } from '../core/shape.ts'
import { data } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { needHost, onHost } from './host.ts'
import { checkBounds } from './index-kernels.ts'
import { indexVector } from './index-vector.ts'
import { indexSelect } from './indexing.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { reshape, view } from './views.ts'

const legacyNames: Readonly<Record<string, string>> = {
  float32: 'Float',
  float64: 'Double',
  float16: 'Half',
  bfloat16: 'BFloat16',
  int16: 'Short',
  int8: 'Char',
  uint8: 'Byte',
  bool: 'Bool',
}

function checkIndices(name: string, indices: Tensor): void {
  if (indices.dtype.name === 'int64' || indices.dtype.name === 'int32') return
  throw new RuntimeError(
    `Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got torch.${legacyNames[indices.dtype.name]}Tensor instead (while checking arguments for ${name})`,
  )
}

// The row meant by `paddingIdx`, counted from the start.
function paddingRow(paddingIdx: number | null | undefined, rows: number): number | null {
  if (paddingIdx === null || paddingIdx === undefined) return null
  if (paddingIdx >= rows || paddingIdx < -rows)
    throw new AssertionError('Padding_idx must be within num_embeddings')
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx
}

/** Scales down, in place, the rows looked up whose norm is too large. */
function renormalise(weight: Tensor, flat: Tensor, maxNorm: number, normType: number): void {
  noGrad(() => {
    const table = weight.detach()
    const rows = indexSelect(table, 0, flat)
    const norms = rows.norm({ p: normType, dim: 1, keepdim: true })
    // PyTorch's guard against dividing by 0.
    const factor = norms.add(1e-7).reciprocal().mul(maxNorm)
    table.indexCopy_(0, flat, rows.where(norms.le(maxNorm), rows.mul(factor)))
  })
}

// How often the row of each index occurs among all indices.
function frequencies(flat: Tensor, rows: number): Tensor {
  const ones = flat.newZeros([flat.numel()]).add(1)
  return indexSelect(flat.newZeros([rows], { dtype: ones.dtype }).indexAdd(0, flat, ones), 0, flat)
}

/** The gradient of a table from the gradients of rows looked up in it. */
function tableGradient(
  grads: Tensor,
  flat: Tensor,
  sizes: readonly number[],
  padding: number | null,
  scaleGradByFreq: boolean,
): Tensor {
  let rows = grads
  if (scaleGradByFreq) rows = rows.div(view(frequencies(flat, sizes[0]), [-1, 1]))
  if (padding !== null) rows = rows.maskedFill(view(flat.eq(padding), [-1, 1]), 0)
  return grads.newZeros(sizes).indexAdd(0, flat, rows)
}

interface EmbeddingAttributes {
  readonly indices: Tensor
  readonly padding: number | null
  readonly scaleGradByFreq: boolean
}

const embeddingOp: Op<EmbeddingAttributes> = {
  node: 'EmbeddingBackward0',
  forward: ([weight], { indices }) =>
    view(indexSelect(weight, 0, reshape(indices, [indices.numel()])), [...indices.sizes, weight.sizes[1]]),
  backward: ([g], { attributes: { indices, padding, scaleGradByFreq }, inputSizes }) => {
    const n = indices.numel()
    const rows = reshape(g!, [n, inputSizes[0][1]])
    return [tableGradient(rows, reshape(indices, [n]), inputSizes[0], padding, scaleGradByFreq)]
  },
}

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** A row that gets no gradient; counted from the end where negative. */
  paddingIdx?: number | null
  /** Rows with a larger norm are scaled down to it, in place, when they are looked up. */
  maxNorm?: number | null
  /** The p of that norm; default 2. */
  normType?: number
  /** Divide gradients by how often a row occurs among the indices. */
  scaleGradByFreq?: boolean
  /** PyTorch's sparse gradients do not exist here: gradients are always dense. */
  sparse?: boolean
}

export interface Embedding {
  (
    input: Tensor,
    weight: Tensor,
    paddingIdx?: number | null,
    options?: Omit<EmbeddingOptions, 'paddingIdx'>,
  ): Tensor
  (input: Tensor, weight: Tensor, options?: EmbeddingOptions): Tensor
}

/**
 * The rows of a table `weight` [rows, width] at the integers of `input` (any shape): a tensor [...input, width].
 * @throws IndexError for an index outside the table; RuntimeError for indices that are not int64 or int32.
 */
export const embedding: Embedding & FunctionInfo = fn<Embedding>(
  'embedding',
  ['input', 'weight'],
  ['paddingIdx', 'maxNorm', 'normType', 'scaleGradByFreq', 'sparse'],
  (input: Tensor, weight: Tensor, options: EmbeddingOptions) => {
    const { paddingIdx, maxNorm, normType = 2, scaleGradByFreq = false } = options
    checkTensor('embedding', 'input', input)
    checkTensor('embedding', 'weight', weight)
    const padding = paddingRow(paddingIdx, weight.sizes[0])
    if (weight.ndim !== 2) throw new RuntimeError("'weight' must be 2-D")
    checkIndices('embedding', input)
    checkBounds('index_select', input, weight.sizes[0])
    if (maxNorm !== null && maxNorm !== undefined)
      renormalise(weight, reshape(input, [input.numel()]), maxNorm, normType)
    return apply(embeddingOp, [weight], { indices: input, padding, scaleGradByFreq })
  },
  { method: false, positional: 1 },
)

// ---- bags -----------------------------------------------------------------------------------------------------------

/** How the rows of a bag become one. */
export type BagMode = 'sum' | 'mean' | 'max'

interface BagAttributes {
  /** [n] the row of each index. */
  readonly flat: Tensor
  /** [n] the bag of each index. */
  readonly bags: Tensor
  /** [n] false for indices that count for nothing (the padding row), or null where all count. */
  readonly counted: Tensor | null
  readonly count: number
  readonly mode: BagMode
  readonly padding: number | null
  readonly scaleGradByFreq: boolean
}

// How many indices of each bag count; at least 1, so that an empty bag's mean is 0.
function bagSizes({ bags, counted, count }: BagAttributes, like: Tensor): Tensor {
  const ones = counted === null ? like.newZeros([bags.numel()]).add(1) : counted.to(like.dtype)
  return view(like.newZeros([count]).indexAdd(0, bags, ones).clamp({ min: 1 }), [-1, 1])
}

// Rows of indices that do not count become 0.
const onlyCounted = (rows: Tensor, counted: Tensor | null): Tensor =>
  counted === null ? rows : rows.maskedFill(view(counted.logicalNot(), [-1, 1]), 0)

const bagOp: Op<BagAttributes> = {
  node: 'EmbeddingBagBackward0',
  forward: ([weight, factors], a) => {
    const { flat, bags, counted, count, mode } = a
    // Sums of half precision numbers are kept in float32.
    const wide = (x: Tensor) => (x.dtype.itemsize === 2 ? x.float() : x)
    let rows = onlyCounted(wide(indexSelect(weight, 0, flat)), counted)
    if (factors !== undefined) rows = rows.mul(view(wide(factors), [-1, 1]))
    const sums = rows.newZeros([count, weight.sizes[1]]).indexAdd(0, bags, rows)
    return to(mode === 'mean' ? sums.div(bagSizes(a, sums)) : sums, weight.dtype)
  },
  saves: [0, 1],
  backward: ([g], c) => {
    const a = c.attributes
    const { flat, bags, counted, mode, padding, scaleGradByFreq } = a
    const perBag = mode === 'mean' ? g!.div(bagSizes(a, g!)) : g!
    const each = onlyCounted(indexSelect(perBag, 0, bags), counted)
    const hasFactors = c.inputSizes.length > 1
    const scaled = hasFactors ? each.mul(view(c.input(1), [-1, 1])) : each
    const results = [
      c.needs(0) ? tableGradient(scaled, flat, c.inputSizes[0], padding, scaleGradByFreq) : null,
    ]
    if (hasFactors) results.push(c.needs(1) ? each.mul(indexSelect(c.input(0), 0, flat)).sum(1) : null)
    return results
  },
}

// Each bag's indices in a row of its own, filled up with -1: [bags, longest].
function bagTable(a: BagAttributes): Tensor {
  const rows = Array.from(data(a.flat) as ArrayLike<number | bigint>, Number)
  const bags = Array.from(data(a.bags) as ArrayLike<number | bigint>, Number)
  const lists: number[][] = Array.from({ length: a.count }, () => [])
  for (let i = 0; i < rows.length; i++) if (rows[i] !== a.padding) lists[bags[i]].push(rows[i])
  const longest = Math.max(1, ...lists.map((l) => l.length))
  return view(indexVector(lists.flatMap((l) => [...l, ...new Array<number>(longest - l.length).fill(-1)])), [
    a.count,
    longest,
  ])
}

const bagMaxOp: Op<BagAttributes> = {
  node: 'EmbeddingBagBackward0',
  forward: ([weight], a) => {
    const table = bagTable(a).to(weight.device)
    const missing = table.lt(0)
    const [bags, longest] = table.sizes
    const rows = view(indexSelect(weight, 0, reshape(table.clamp({ min: 0 }), [-1])), [
      bags,
      longest,
      weight.sizes[1],
    ])
    const found = rows.maskedFill(missing.unsqueeze(2), -Infinity).max(1)
    const empty = missing.all(1).unsqueeze(1)
    return [found.values.maskedFill(empty, 0), table.gather(1, found.indices)]
  },
  nonDifferentiable: [1],
  savesOutputs: [1],
  backward: ([g], c) => {
    const from = c.output(1)
    const flowing = g!.maskedFill(from.lt(0), 0)
    return [g!.newZeros(c.inputSizes[0]).scatterAdd(0, from.clamp({ min: 0 }), flowing)]
  },
}

/** Options of `embeddingBag`. */
export interface EmbeddingBagOptions {
  /** [bags] Where each bag starts in a one-dimensional input. */
  offsets?: Tensor | null
  /** Rows with a larger norm are scaled down to it, in place, when they are looked up. */
  maxNorm?: number | null
  /** The p of that norm; default 2. */
  normType?: number
  /** Divide gradients by how often a row occurs among the indices; not with `'max'`. */
  scaleGradByFreq?: boolean
  /** Default `'mean'`. */
  mode?: BagMode
  /** PyTorch's sparse gradients do not exist here: gradients are always dense. */
  sparse?: boolean
  /** A factor for each index, of the input's shape; with mode `'sum'` only. */
  perSampleWeights?: Tensor | null
  /** Whether the last offset is the number of indices rather than the start of a bag. */
  includeLastOffset?: boolean
  /** A row that counts for nothing and gets no gradient. */
  paddingIdx?: number | null
}

export interface EmbeddingBag {
  (
    input: Tensor,
    weight: Tensor,
    offsets?: Tensor | null,
    options?: Omit<EmbeddingBagOptions, 'offsets'>,
  ): Tensor
  (input: Tensor, weight: Tensor, options?: EmbeddingBagOptions): Tensor
}

// The bag of each of n indices from the bags' starts, and how many bags there are.
function bagsFromOffsets(offsets: Tensor, n: number, includeLast: boolean): { bags: Tensor; count: number } {
  const starts = Array.from(data(offsets) as ArrayLike<number | bigint>, Number)
  if (starts.length > 0 && starts[0] !== 0)
    throw new RuntimeError(
      `offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got ${starts[0]}`,
    )
  const last = starts[starts.length - 1] ?? 0
  if (last > n)
    throw new RuntimeError(
      `offsets[-1] can not be greater than input's length ${n} but got offsets[-1] of ${last}`,
    )
  const count = includeLast ? starts.length - 1 : starts.length
  if (includeLast && starts.length === 0)
    throw new RuntimeError('include_last_offset: number of offset should be at least 1')
  const bags: number[] = []
  for (let i = 0, bag = 0; i < n; i++) {
    while (bag + 1 < count && starts[bag + 1] <= i) bag++
    bags.push(bag)
  }
  return { bags: indexVector(bags), count }
}

/**
 * Looks up rows of `weight` [rows, width] and makes one row of each bag of indices: their sum, mean or largest elements.
 * Bags are the rows of `input` [bags, n], or stretches of `input` [n] that begin at `offsets`. Empty bags give zeros.
 * @returns [bags, width].
 */
export const embeddingBag: EmbeddingBag & FunctionInfo = fn<EmbeddingBag>(
  'embedding_bag',
  ['input', 'weight'],
  [
    'offsets',
    'maxNorm',
    'normType',
    'scaleGradByFreq',
    'mode',
    'sparse',
    'perSampleWeights',
    'includeLastOffset',
    'paddingIdx',
  ],
  (input: Tensor, weight: Tensor, options: EmbeddingBagOptions) => {
    const {
      offsets,
      maxNorm,
      normType = 2,
      scaleGradByFreq = false,
      mode = 'mean',
      perSampleWeights,
    } = options
    checkTensor('embedding_bag', 'input', input)
    checkTensor('embedding_bag', 'weight', weight)
    if (perSampleWeights && !sameSizes(perSampleWeights.sizes, input.sizes))
      throw new ValueError(
        `embedding_bag: If per_sample_weights (${perSampleWeights.shape}) is not None, then it must have the same shape as the input (${input.shape})`,
      )
    if (weight.ndim !== 2)
      throw new ValueError(`weight has to be a 2D Tensor, but got Tensor of dimension ${weight.ndim}`)
    if (input.ndim === 2 && offsets)
      throw new ValueError(
        `if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. However, found offsets of type ${offsets.constructor.name}`,
      )
    if (input.ndim === 1 && !(offsets instanceof Tensor))
      throw new ValueError('offsets has to be a 1D Tensor but got None')
    if (input.ndim === 1 && offsets!.ndim !== 1) throw new ValueError('offsets has to be a 1D Tensor')
    if (input.ndim !== 1 && input.ndim !== 2)
      throw new ValueError(`input has to be 1D or 2D Tensor, but got Tensor of dimension ${input.ndim}`)
    if (mode !== 'sum' && mode !== 'mean' && mode !== 'max')
      throw new ValueError('mode has to be one of sum, mean or max')
    if (mode === 'max' && scaleGradByFreq)
      throw new ValueError('max mode does not support scaling the gradient by the frequency')
    if (perSampleWeights && mode !== 'sum')
      throw new NotImplementedError(
        `embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got mode='${mode}'). Please open a feature request on GitHub.`,
      )
    checkIndices('embedding_bag', input)
    const padding = paddingRow(options.paddingIdx, weight.sizes[0])
    const flat = reshape(input, [input.numel()])
    const { bags, count } =
      input.ndim === 2
        ? {
            bags: indexVector(
              Array.from({ length: input.numel() }, (_, i) => Math.floor(i / input.sizes[1])),
            ),
            count: input.sizes[0],
          }
        : bagsFromOffsets(offsets!, input.numel(), options.includeLastOffset ?? false)
    checkBounds('index_select', flat, weight.sizes[0])
    if (maxNorm !== null && maxNorm !== undefined) renormalise(weight, flat, maxNorm, normType)
    const counted = padding === null ? null : flat.ne(padding)
    const attributes: BagAttributes = { flat, bags, counted, count, mode, padding, scaleGradByFreq }
    if (mode === 'max') return apply(bagMaxOp, [weight], attributes)
    const inputs = perSampleWeights ? [weight, reshape(perSampleWeights, [-1])] : [weight]
    return apply(bagOp, inputs, attributes)
  },
  { method: false, positional: 1 },
)

// ---- one hot ----------------------------------------------------------------------------------------------------------

export interface OneHot {
  (input: Tensor, numClasses?: number): Tensor
  (input: Tensor, options?: { numClasses?: number }): Tensor
}

/**
 * For each class number of `input` (int64, any shape) a row of zeros with a 1 at its place: int64 [...input, numClasses].
 * Without `numClasses` (or with -1) there are as many as the largest number needs.
 */
export const oneHot: OneHot & FunctionInfo = fn<OneHot>(
  'one_hot',
  ['input'],
  ['numClasses'],
  (input: Tensor, { numClasses = -1 }: { numClasses?: number }) => {
    checkTensor('one_hot', 'input', input)
    if (input.dtype !== int64)
      throw new RuntimeError('one_hot is only applicable to index tensor of type LongTensor.')
    if (input.numel() === 0) {
      if (numClasses <= 0) throw new RuntimeError('Can not infer total number of classes from empty tensor.')
      return input.newZeros([...input.sizes, numClasses])
    }
    const values = numClasses === -1 ? needHost('one_hot', input) : onHost(input)
    if (values !== null && Number(values.min().item()) < 0)
      throw new RuntimeError('Class values must be non-negative.')
    const largest = values === null ? numClasses - 1 : Number(values.max().item())
    if (numClasses !== -1 && largest >= numClasses)
      throw new RuntimeError('Class values must be smaller than num_classes.')
    const classes = numClasses === -1 ? largest + 1 : numClasses
    return input.newZeros([...input.sizes, classes]).scatter(-1, input.unsqueeze(-1), 1)
  },
  { method: false },
)
