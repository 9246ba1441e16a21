// The namespace torch.nn.utils.rnn: sequences of different lengths, padded to one tensor or packed without padding.

import type { DType } from '../../core/dtype.ts'
import { RuntimeError, TypeError_, ValueError } from '../../core/errors.ts'
import { Tuple } from '../../core/python.ts'
import { fullTensor, tensor } from '../../ops/creation.ts'
import { indexVector } from '../../ops/index-vector.ts'
import { checkOptions, describe } from '../../ops/op.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { typeName } from '../registry.ts'

/**
 * Sequences of different lengths without padding: the first steps of all sequences, then the second steps of those that
 * have one, and so on, the longest sequence first. What `packPaddedSequence` makes and recurrent layers accept and give.
 */
export class PackedSequence {
  readonly unsortedIndices: Tensor | null

  /**
   * @param data the steps, `[sum of lengths, ...]`
   * @param batchSizes how many sequences have each step, int64 `[longest length]`
   * @param sortedIndices the place that each sequence had before they were sorted, int64 `[N]`; null if they were not
   * @param unsortedIndices the way back; found from `sortedIndices` unless given
   */
  constructor(
    readonly data: Tensor,
    readonly batchSizes: Tensor,
    readonly sortedIndices: Tensor | null = null,
    unsortedIndices: Tensor | null = null,
  ) {
    if (!(data instanceof Tensor) || !(batchSizes instanceof Tensor))
      throw new TypeError_(
        `PackedSequence needs two tensors, data and batchSizes, but got ${describe(data)} and ${describe(batchSizes)}; packSequence and packPaddedSequence make them`,
      )
    this.unsortedIndices = unsortedIndices ?? invertPermutation(sortedIndices)
  }

  /** The same sequences with data of another dtype or on another device. */
  to(target: Parameters<Tensor['to']>[0]): PackedSequence {
    const data = this.data.to(target)
    return data === this.data
      ? this
      : new PackedSequence(data, this.batchSizes, this.sortedIndices, this.unsortedIndices)
  }

  get dtype(): DType {
    return this.data.dtype
  }

  /** `const [data, batchSizes, sortedIndices, unsortedIndices] = packed`, as in PyTorch. */
  *[Symbol.iterator](): Generator<Tensor | null> {
    yield this.data
    yield this.batchSizes
    yield this.sortedIndices
    yield this.unsortedIndices
  }

  toString(): string {
    const text = (x: Tensor | null) => (x === null ? 'None' : String(x))
    return `PackedSequence(data=${text(this.data)}, batch_sizes=${text(this.batchSizes)}, sorted_indices=${text(this.sortedIndices)}, unsorted_indices=${text(this.unsortedIndices)})`
  }

  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** The permutation that undoes another, null for null. */
export function invertPermutation(permutation: Tensor | null): Tensor | null {
  return permutation === null ? null : permutation.argsort()
}

/** Options of the functions about padded sequences. */
export interface BatchFirstOption {
  /** Whether the batch is the first dimension rather than the second; default false. */
  batchFirst?: boolean
}

/** Options of `packSequence`. */
export interface PackOptions {
  /** Whether the sequences must come longest first; with false they are sorted, and their order is remembered. Default true. */
  enforceSorted?: boolean
}

/** Options of `packPaddedSequence`. */
export interface PackPaddedOptions extends BatchFirstOption, PackOptions {}

/**
 * Packs padded sequences.
 *
 * @param input `[T, N, ...]`, with `batchFirst` `[N, T, ...]`
 * @param lengths how long each of the N sequences is
 * @throws RuntimeError for lengths that do not fit, or that grow although `enforceSorted` is not false
 */
export function packPaddedSequence(
  input: Tensor,
  lengths: readonly number[] | Tensor,
  options: PackPaddedOptions = {},
): PackedSequence {
  checkOptions('pack_padded_sequence', options as Record<string, unknown>, ['batchFirst', 'enforceSorted'])
  const { batchFirst = false, enforceSorted = true } = options
  if (input.numel() === 0) throw new RuntimeError('Cannot pack empty tensors.')
  const padded = batchFirst ? input.transpose(0, 1) : input
  const [steps, batch] = padded.sizes
  const given = (lengths instanceof Tensor ? lengths.tolist() : [...lengths]) as number[]
  if (given.length !== batch)
    throw new RuntimeError(
      `Expected \`len(lengths)\` to be equal to batch_size, but got ${given.length} (batch_size=${batch})`,
    )
  if (given.some((length) => !(length > 0)))
    throw new RuntimeError(
      "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
    )
  if (given.some((length) => length > steps))
    throw new RuntimeError(
      `Length of all samples has to be at most the length of the padded sequences, ${steps}, but found ${Math.max(...given)} in 'lengths'`,
    )
  const order = given.map((_, i) => i)
  if (!enforceSorted) order.sort((a, b) => given[b] - given[a])
  const sorted = order.map((i) => given[i])
  if (sorted.some((length, i) => i > 0 && length > sorted[i - 1]))
    throw new RuntimeError(
      '`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability.',
    )
  const sizes = batchSizesOf(sorted)
  const rows = sizes.flatMap((size, t) => order.slice(0, size).map((i) => t * batch + i))
  const data = padded.reshape([steps * batch, ...padded.sizes.slice(2)]).indexSelect(0, indexVector(rows))
  return new PackedSequence(
    data,
    tensor(sizes, { device: 'cpu' }),
    enforceSorted ? null : tensor(order, { device: 'cpu' }),
  )
}

/** How many of the sequences, longest first, have each step. */
function batchSizesOf(sorted: readonly number[]): number[] {
  return Array.from({ length: sorted[0] }, (_, t) => sorted.filter((length) => length > t).length)
}

/** Options of `padPackedSequence`. */
export interface PadPackedOptions extends BatchFirstOption {
  /** What stands after the end of a sequence; default 0. */
  paddingValue?: number
  /** Pads to this length rather than to that of the longest sequence. */
  totalLength?: number | null
}

/**
 * The padded sequences of packed ones, and their lengths: `[T, N, ...]` (with `batchFirst` `[N, T, ...]`) and int64 `[N]`,
 * in the order that they had before packing.
 * @throws ValueError for a `totalLength` that is too short
 */
export function padPackedSequence(
  sequence: PackedSequence,
  options: PadPackedOptions = {},
): [padded: Tensor, lengths: Tensor] {
  checkOptions('pad_packed_sequence', options as Record<string, unknown>, [
    'batchFirst',
    'paddingValue',
    'totalLength',
  ])
  const { batchFirst = false, paddingValue = 0, totalLength = null } = options
  const { data, unsortedIndices } = sequence
  const sizes = sequence.batchSizes.tolist() as number[]
  if (totalLength !== null && totalLength < sizes.length)
    throw new ValueError(
      `Expected total_length to be at least the length of the longest sequence in input, but got total_length=${totalLength} and max sequence length being ${sizes.length}`,
    )
  const steps = totalLength ?? sizes.length
  const [batch] = sizes
  const place = unsortedIndices === null ? null : (invertPermutation(unsortedIndices)!.tolist() as number[])
  const columns = Array.from({ length: batch }, (_, i) => place?.[i] ?? i)
  const rows = sizes.flatMap((size, t) => columns.slice(0, size).map((i) => t * batch + i))
  const inner = data.sizes.slice(1)
  const padded = fullTensor([steps * batch, ...inner], paddingValue, data.dtype, data.device)
    .indexCopy(0, indexVector(rows), data)
    .view([steps, batch, ...inner])
  const lengths = new Array<number>(batch)
  columns.forEach((column, i) => {
    lengths[column] = sizes.filter((size) => size > i).length
  })
  return Tuple.of<unknown>(
    batchFirst ? padded.transpose(0, 1) : padded,
    tensor(lengths, { device: 'cpu' }),
  ) as unknown as [Tensor, Tensor]
}

/** Options of `padSequence`. */
export interface PadSequenceOptions extends BatchFirstOption {
  /** What fills up the shorter sequences; default 0. */
  paddingValue?: number
  /** On which side they are filled up; default `'right'`. */
  paddingSide?: 'left' | 'right'
}

/**
 * Sequences `[length, ...]` side by side in one tensor, filled up to the longest: `[T, N, ...]`, with `batchFirst`
 * `[N, T, ...]`.
 * @throws RuntimeError for an empty list, or where the dimensions after the first differ
 */
export function padSequence(sequences: Iterable<Tensor>, options: PadSequenceOptions = {}): Tensor {
  checkOptions('pad_sequence', options as Record<string, unknown>, [
    'batchFirst',
    'paddingValue',
    'paddingSide',
  ])
  const { batchFirst = false, paddingValue = 0, paddingSide = 'right' } = options
  if (typeof (sequences as Iterable<Tensor> | null)?.[Symbol.iterator] !== 'function')
    throw new RuntimeError(
      `pad_sequence: Expected iterable for input sequences, but got arg of type: <class '${typeName(sequences)}'>`,
    )
  const list = [...sequences]
  if (list.length === 0) throw new RuntimeError('received an empty list of sequences')
  if (paddingSide !== 'left' && paddingSide !== 'right')
    throw new RuntimeError(
      `Expected padding_side to be one of left or right, but got ${String(paddingSide)}.`,
    )
  const [first] = list
  const inner = first.sizes.slice(1)
  list.forEach((x, i) => {
    if (x.sizes.slice(1).join() !== inner.join())
      throw new RuntimeError(
        `pad_sequence: the dimensions after the first must be the same for all sequences, but sequence 0 has shape [${first.sizes.join(', ')}] and sequence ${i} [${x.sizes.join(', ')}]`,
      )
  })
  const steps = Math.max(...list.map((x) => x.sizes[0]))
  let padded = fullTensor([list.length, steps, ...inner], paddingValue, first.dtype, first.device)
  list.forEach((x, i) => {
    const length = x.sizes[0]
    const start = paddingSide === 'right' ? 0 : steps - length
    padded.select(0, i).narrow(0, start, length).copy_(x)
  })
  if (!batchFirst) padded = padded.transpose(0, 1)
  return padded
}

/** The sequences of a padded tensor, each with its own length: the opposite of `padSequence`. */
export function unpadSequence(
  padded: Tensor,
  lengths: readonly number[] | Tensor,
  { batchFirst = false }: BatchFirstOption = {},
): Tensor[] {
  const rows = batchFirst ? padded : padded.transpose(0, 1)
  const list = (lengths instanceof Tensor ? lengths.tolist() : [...lengths]) as number[]
  if (list.length !== rows.sizes[0])
    throw new ValueError(
      `unpad_sequence: expected as many lengths as sequences, ${rows.sizes[0]}, but got ${list.length}`,
    )
  return list.map((length, i) => rows.select(0, i).narrow(0, 0, Math.min(length, rows.sizes[1])))
}

/** Packs a list of sequences `[length, ...]`, longest first unless `enforceSorted` is false. */
export function packSequence(
  sequences: Iterable<Tensor>,
  { enforceSorted = true }: PackOptions = {},
): PackedSequence {
  const list = [...sequences]
  return packPaddedSequence(
    padSequence(list),
    list.map((x) => x.size(0)),
    { enforceSorted },
  )
}

/** The sequences of packed ones, in the order that they had before packing. */
export function unpackSequence(sequence: PackedSequence): Tensor[] {
  const [padded, lengths] = padPackedSequence(sequence, { batchFirst: true })
  return unpadSequence(padded, lengths, { batchFirst: true })
}
