// Attention as functions: scaledDotProductAttention and the whole of multi-head attention.

import { bool, type DType } from '../core/dtype.ts'
import { AssertionError, RuntimeError, TypeError_ } from '../core/errors.ts'
import { pyRepr, Tuple } from '../core/python.ts'
import { additiveMask, attention } from '../ops/attention.ts'
import { zeros } from '../ops/creation.ts'
import { dropout } from '../ops/dropout.ts'
import { cat } from '../ops/joining.ts'
import { type FunctionInfo, fn } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { linear } from './linear-functions.ts'

/** Options of `scaledDotProductAttention`. */
export interface AttentionOptions {
  /** True (or a number added to the score) where a query may look at a key; broadcast to `[..., L, S]`. */
  attnMask?: Tensor | null
  /** The probability of an attention weight to be zeroed; default 0. */
  dropoutP?: number
  /** Let each query look only at keys up to its own position. */
  isCausal?: boolean
  /** What the scores are multiplied by; default 1 / sqrt(E). */
  scale?: number | null
  /** Let several heads of the query share one of key and value. */
  enableGqa?: boolean
}

export type Attention = (query: Tensor, key: Tensor, value: Tensor, options?: AttentionOptions) => Tensor

/**
 * softmax(q kᵀ * scale + mask) v: queries `[..., L, E]`, keys `[..., S, E]`, values `[..., S, V]` to `[..., L, V]`.
 * Vaswani et al. 2017.
 */
export const scaledDotProductAttention: Attention & FunctionInfo = fn<Attention>(
  'scaled_dot_product_attention',
  ['query', 'key', 'value'],
  ['attnMask', 'dropoutP', 'isCausal', 'scale', 'enableGqa'],
  (query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions) => {
    const { attnMask = null, dropoutP = 0, isCausal = false, scale = null, enableGqa = false } = options
    if (attnMask !== null && isCausal)
      throw new RuntimeError(
        '_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True',
      )
    // Half-precision inputs are computed in float32 and rounded at the end, as PyTorch does.
    const wide = (t: Tensor) => (t.dtype.itemsize === 2 && t.dtype.kind === 'float' ? t.float() : t)
    const q = wide(query)
    let [k, v] = [wide(key), wide(value)]
    if (enableGqa) {
      const groups = (t: Tensor) => query.sizes[query.ndim - 3] / t.sizes[t.ndim - 3]
      k = k.repeatInterleave(groups(k), -3)
      v = v.repeatInterleave(groups(v), -3)
    }
    const inputs = attnMask === null ? [q, k, v] : [q, k, v, attnMask]
    const factor = scale ?? 1 / Math.sqrt(query.sizes[query.ndim - 1])
    const result = attention(inputs, { scale: factor, isCausal, dropoutP })
    return result.dtype === query.dtype ? result : result.to(query.dtype)
  },
  { method: false },
)

/** A mask as numbers, PyTorch's `_canonical_mask`. Throws for masks that are neither bool nor floating. */
export function canonicalMask(mask: Tensor | null | undefined, name: string, dtype: DType): Tensor | null {
  if (mask === null || mask === undefined) return null
  if (mask.dtype !== bool && mask.dtype.kind !== 'float')
    throw new AssertionError(`only bool and floating types of ${name} are supported`)
  return additiveMask(mask, dtype, true)
}

/** Options of `multiHeadAttentionForward`. */
export interface MultiHeadAttentionOptions {
  training?: boolean
  /** `[N, S]`: true (or -infinity) for keys to be ignored. */
  keyPaddingMask?: Tensor | null
  /** Whether the attention weights are returned; default true. */
  needWeights?: boolean
  /** `[L, S]` or `[N * heads, L, S]`: true where a query may not look, or numbers added to the scores. */
  attnMask?: Tensor | null
  useSeparateProjWeight?: boolean
  qProjWeight?: Tensor | null
  kProjWeight?: Tensor | null
  vProjWeight?: Tensor | null
  staticK?: Tensor | null
  staticV?: Tensor | null
  /** Whether the weights are averaged over the heads; default true. */
  averageAttnWeights?: boolean
  /** A hint that `attnMask` is the causal one. */
  isCausal?: boolean
}

/** The attention's output and, where they were asked for, its weights. */
export type AttentionResult = [output: Tensor, weights: Tensor | null]

function checkShapes(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  padding: Tensor | null,
  mask: Tensor | null,
): boolean {
  const rank = query.ndim
  const kind = rank === 3 ? 'batched (3-D)' : 'unbatched (2-D)'
  if (rank !== 2 && rank !== 3)
    throw new AssertionError(
      `query should be unbatched 2D or batched 3D tensor but received ${rank}-D query tensor`,
    )
  if (key.ndim !== rank || value.ndim !== rank)
    throw new AssertionError(
      `For ${kind} \`query\`, expected \`key\` and \`value\` to be ${rank}-D but found ${key.ndim}-D and ${value.ndim}-D tensors respectively`,
    )
  if (padding !== null && padding.ndim !== rank - 1)
    throw new AssertionError(
      `For ${kind} \`query\`, expected \`key_padding_mask\` to be \`None\` or ${rank - 1}-D but found ${padding.ndim}-D tensor instead`,
    )
  if (mask !== null && mask.ndim !== 2 && mask.ndim !== 3)
    throw new AssertionError(
      `For ${kind} \`query\`, expected \`attn_mask\` to be \`None\`, 2-D or 3-D but found ${mask.ndim}-D tensor instead`,
    )
  return rank === 3
}

// Queries, keys and values from one stacked weight; one product where all three come from the same tensor.
function projectPacked(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Tensor | null): Tensor[] {
  const e = q.sizes[q.ndim - 1]
  const stacked = (x: Tensor, n: number, weight: Tensor, bias: Tensor | null) =>
    linear(x, weight, bias)
      .unflatten(-1, [n, e])
      .unsqueeze(0)
      .transpose(0, -2)
      .squeeze(-2)
      .contiguous()
      .unbind(0)
  if (k === v) {
    if (q === k) return [...stacked(q, 3, w, b)]
    const [wq, wkv] = [w.narrow(0, 0, e), w.narrow(0, e, 2 * e)]
    const [bq, bkv] = b === null ? [null, null] : [b.narrow(0, 0, e), b.narrow(0, e, 2 * e)]
    return [linear(q, wq, bq), ...stacked(k, 2, wkv, bkv)]
  }
  const part = (t: Tensor | null, i: number) => (t === null ? null : t.narrow(0, i * e, e))
  return [q, k, v].map((x, i) => linear(x, part(w, i)!, part(b, i)))
}

/**
 * Multi-head attention of queries `[L, N, E]`, keys `[S, N, K]` and values `[S, N, V]` (or without N): projects, attends
 * in each head, joins the heads, projects. What `nn.MultiheadAttention` computes.
 */
export function multiHeadAttentionForward(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  embedDimToCheck: number,
  numHeads: number,
  inProjWeight: Tensor | null,
  inProjBias: Tensor | null,
  biasK: Tensor | null,
  biasV: Tensor | null,
  addZeroAttn: boolean,
  dropoutP: number,
  outProjWeight: Tensor,
  outProjBias: Tensor | null,
  options: MultiHeadAttentionOptions = {},
): AttentionResult {
  const {
    training = true,
    needWeights = true,
    averageAttnWeights = true,
    useSeparateProjWeight = false,
  } = options
  const { staticK = null, staticV = null } = options
  let { isCausal = false } = options
  const batched = checkShapes(query, key, value, options.keyPaddingMask ?? null, options.attnMask ?? null)
  const withBatch = (x: Tensor) => (batched ? x : x.unsqueeze(1))
  const q0 = withBatch(query)
  // The same tensors stay the same, which decides how they are projected.
  const k0 = key === query ? q0 : withBatch(key)
  const v0 = value === key ? k0 : withBatch(value)
  const [length, batch, embed] = q0.sizes
  let keyPadding = canonicalMask(options.keyPaddingMask, 'key_padding_mask', query.dtype)
  if (keyPadding !== null && !batched) keyPadding = keyPadding.unsqueeze(0)
  if (isCausal && options.attnMask == null)
    throw new RuntimeError(
      'Need attn_mask if specifying the is_causal hint. You may use the Transformer module method `generate_square_subsequent_mask` to create this mask.',
    )
  let mask: Tensor | null = null
  // The causal mask need not be added where the attention itself can be causal.
  if (!(isCausal && keyPadding === null && !needWeights)) {
    mask = canonicalMask(options.attnMask, 'attn_mask', query.dtype)
    if (keyPadding !== null) isCausal = false
  }
  if (embed !== embedDimToCheck)
    throw new AssertionError(`was expecting embedding dimension of ${embedDimToCheck}, but got ${embed}`)
  const head = Math.floor(embed / numHeads)
  if (head * numHeads !== embed)
    throw new AssertionError(`embed_dim ${embed} not divisible by num_heads ${numHeads}`)
  checkKeysAndValues(k0, v0, useSeparateProjWeight)

  let [q, k, v] = useSeparateProjWeight
    ? projectSeparately(
        [q0, k0, v0],
        [options.qProjWeight, options.kProjWeight, options.vProjWeight],
        inProjBias,
        embed,
      )
    : projectPacked(
        q0,
        k0,
        v0,
        required(inProjWeight, 'use_separate_proj_weight is False but in_proj_weight is None'),
        inProjBias,
      )

  if (mask !== null) mask = checkMask(mask, length, k0.sizes[0], batch * numHeads)
  const widen = () => {
    if (mask !== null) mask = withColumn(mask)
    if (keyPadding !== null) keyPadding = withColumn(keyPadding)
  }
  if (biasK !== null && biasV !== null) {
    if (staticK !== null) throw new AssertionError('bias cannot be added to static key.')
    if (staticV !== null) throw new AssertionError('bias cannot be added to static value.')
    k = cat([k, biasK.repeat(1, batch, 1)])
    v = cat([v, biasV.repeat(1, batch, 1)])
    widen()
  }
  const heads = batch * numHeads
  const split = (x: Tensor) => x.view(x.sizes[0], heads, head).transpose(0, 1)
  q = split(q)
  k = staticK ?? split(k)
  v = staticV ?? split(v)
  if (addZeroAttn) {
    const zero = (like: Tensor) => zeros([heads, 1, head], { dtype: like.dtype, device: like.device })
    k = cat([k, zero(k)], 1)
    v = cat([v, zero(v)], 1)
    widen()
  }
  const sources = k.sizes[1]
  if (keyPadding !== null) {
    if (keyPadding.sizes[0] !== batch || keyPadding.sizes[1] !== sources)
      throw new AssertionError(
        `Expected key_padded_mask.shape[0] to be ${batch} and shape[1] to be ${sources}, but got ${pyRepr([...keyPadding.sizes])}`,
      )
    const spread = keyPadding
      .view(batch, 1, 1, sources)
      .expand(-1, numHeads, -1, -1)
      .reshape(heads, 1, sources)
    mask = mask === null ? spread : mask.add(spread)
  }
  const p = training ? dropoutP : 0
  const project = (output: Tensor) => {
    const projected = linear(output, outProjWeight, outProjBias)
    const shaped = projected.view(length, batch, projected.sizes[1])
    return batched ? shaped : shaped.squeeze(1)
  }

  if (needWeights) {
    const scaled = q.mul(Math.sqrt(1 / head))
    const keys = k.transpose(-2, -1)
    let weights = (mask === null ? scaled.bmm(keys) : mask.baddbmm(scaled, keys)).softmax(-1)
    if (p > 0) weights = dropout(weights, p)
    const output = project(
      weights
        .bmm(v)
        .transpose(0, 1)
        .reshape(length * batch, embed),
    )
    let shown = weights.view(batch, numHeads, length, sources)
    if (averageAttnWeights) shown = shown.mean(1)
    return Tuple.of<Tensor | null>(output, batched ? shown : shown.squeeze(0)) as unknown as AttentionResult
  }
  if (mask !== null)
    mask =
      mask.sizes[0] === 1 && mask.ndim === 3 ? mask.unsqueeze(0) : mask.view(batch, numHeads, -1, sources)
  const perHead = (x: Tensor, n: number) => x.view(batch, numHeads, n, head)
  const output = scaledDotProductAttention(perHead(q, length), perHead(k, sources), perHead(v, sources), {
    attnMask: mask,
    dropoutP: p,
    isCausal,
  })
  return Tuple.of<Tensor | null>(
    project(output.permute(2, 0, 1, 3).reshape(batch * length, embed)),
    null,
  ) as unknown as AttentionResult
}

// A mask with one more source, which hides nothing.
function withColumn(mask: Tensor): Tensor {
  return cat([mask, zeros([...mask.sizes.slice(0, -1), 1], { dtype: mask.dtype, device: mask.device })], -1)
}

function required(value: Tensor | null | undefined, message: string): Tensor {
  if (value === null || value === undefined) throw new AssertionError(message)
  return value
}

function checkKeysAndValues(key: Tensor, value: Tensor, separate: boolean): void {
  const same = (n: number) => key.sizes.slice(0, n).join() === value.sizes.slice(0, n).join()
  if (separate && !same(2))
    throw new AssertionError(
      `key's sequence and batch dims ${pyRepr(key.sizes.slice(0, 2))} do not match value's ${pyRepr(value.sizes.slice(0, 2))}`,
    )
  if (!separate && !same(3))
    throw new AssertionError(`key shape ${key.shape} does not match value shape ${value.shape}`)
}

function projectSeparately(
  inputs: readonly Tensor[],
  weights: readonly (Tensor | null | undefined)[],
  bias: Tensor | null,
  embed: number,
): Tensor[] {
  return inputs.map((x, i) =>
    linear(
      x,
      required(weights[i], `use_separate_proj_weight is True but ${'qkv'[i]}_proj_weight is None`),
      bias === null ? null : bias.narrow(0, i * embed, embed),
    ),
  )
}

function checkMask(mask: Tensor, length: number, sources: number, heads: number): Tensor {
  const wanted = mask.ndim === 2 ? [length, sources] : [heads, length, sources]
  if (mask.ndim !== 2 && mask.ndim !== 3)
    throw new TypeError_(`attn_mask's dimension ${mask.ndim} is not supported`)
  if (mask.sizes.join() !== wanted.join())
    throw new RuntimeError(
      `The shape of the ${mask.ndim}D attn_mask is ${mask.shape}, but should be ${pyRepr(Tuple.of(...wanted))}.`,
    )
  return mask.ndim === 2 ? mask.unsqueeze(0) : mask
}
