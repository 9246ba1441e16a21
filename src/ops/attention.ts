// Attention: as a composition, and where the device has shaders for it as one kernel forward and two backward, which never
// store the scores (Dao et al. 2022, "FlashAttention").

import { gradMode } from '../autograd/mode.ts'
import { backendFor } from '../backends/backend.ts'
import { bool, type DType, float32 } from '../core/dtype.ts'
import { broadcastSizes } from '../core/shape.ts'
import type { Kernel, Operand } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { ones, zerosLike } from './creation.ts'
import { dropout } from './dropout.ts'
import { onHost } from './host.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { applyMany, type BackwardContext, type Op } from './op.ts'
import { recomputedOp } from './recomputed.ts'
import { expand, select } from './views.ts'

/** What is done with queries, keys and values. */
export interface AttentionAttributes {
  readonly scale: number
  readonly isCausal: boolean
  readonly dropoutP: number
}

/** softmax(q kᵀ * scale + mask) v, for queries, keys, values and a mask of booleans (true: may look) or numbers to be added, if any. */
export function attention(inputs: readonly Tensor[], attributes: AttentionAttributes): Tensor {
  const fused = fusedInputs(inputs, attributes)
  return fused === null
    ? composed(inputs, attributes)
    : applyMany(fusedOps[fused.length - 3], fused, attributes)[0]
}

// ---- composed ---------------------------------------------------------------------------------------------------------

function composed([q, k, v, given]: readonly Tensor[], attributes: AttentionAttributes): Tensor {
  const { scale, isCausal, dropoutP } = attributes
  // Half of the scale to each side, as PyTorch does for stability.
  const half = Math.sqrt(Math.abs(scale))
  let scores = q.mul(scale < 0 ? -half : half).matmul(k.transpose(-2, -1).mul(half))
  const [rows, columns] = scores.sizes.slice(-2)
  const mask = isCausal ? ones([rows, columns], { dtype: bool, device: q.device }).tril() : given
  if (mask !== undefined) scores = scores.add(additiveMask(mask, q.dtype, false))
  let weights = given === undefined ? scores.softmax(-1) : softmaxOfMasked(scores)
  if (dropoutP > 0) weights = dropout(weights, dropoutP)
  return weights.matmul(v)
}

// Rows in which everything is masked give zeros, not NaN.
function softmaxOfMasked(scores: Tensor): Tensor {
  const empty = scores.detach().eq(Number.NEGATIVE_INFINITY).all(-1, { keepdim: true })
  if (onHost(empty)?.any().item() === false) return scores.softmax(-1)
  return scores.maskedFill(empty, 0).softmax(-1).maskedFill(empty, 0)
}

/** A mask of booleans as numbers to add: -infinity where it is `hides`. */
export function additiveMask(mask: Tensor, dtype: DType, hides: boolean): Tensor {
  if (mask.dtype !== bool) return mask
  return zerosLike(mask, { dtype }).maskedFill(hides ? mask : mask.logicalNot(), Number.NEGATIVE_INFINITY)
}

// ---- fused ------------------------------------------------------------------------------------------------------------

/** Rows of queries and values longer than this do not fit into a shader's registers. */
const MOST_FEATURES = 128

/** The inputs over one batch shape, or null where the device has no kernels for this. */
function fusedInputs(inputs: readonly Tensor[], { dropoutP }: AttentionAttributes): Tensor[] | null {
  const [q, k, v, mask] = inputs
  const { device } = q
  if (device.type === 'cpu' || device.type === 'meta' || dropoutP > 0) return null
  if (backendFor(device.type).ownKernels?.has(forwardName) !== true) return null
  if (inputs.some((x) => !x.device.equals(device) || x.ndim < 2)) return null
  if (mask !== undefined && (mask.requiresGrad || (mask.dtype !== bool && mask.dtype !== float32)))
    return null
  const [[rows, features], [keys, same], [positions, depth]] = [q, k, v].map((x) => x.sizes.slice(-2))
  // What does not fit is the composition's to complain about.
  if (same !== features || positions !== keys || Math.max(features, depth) > MOST_FEATURES) return null
  if ([q, k, v].some((x) => x.dtype !== float32 || x.numel() === 0)) return null
  try {
    const batch = inputs.map((x) => x.sizes.slice(0, -2)).reduce(broadcastSizes)
    const own = [
      [rows, features],
      [keys, features],
      [keys, depth],
      [rows, keys],
    ]
    return inputs.map((x, i) => expand(x, [...batch, ...own[i]]))
  } catch {
    return null
  }
}

const forwardName = 'attention'

const kernels = new Map<string, Kernel>()

/** A kernel that devices know by its name; only those that do are asked to run it. */
function ownKernel(name: string, operands: readonly Operand[]): Kernel {
  const key = `${name} ${operands.map((o) => o.dtype.name).join()}`
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    kernel = {
      ...{ name, operands, scalars: ['f32', 'i32'], stages: [], compiled: new Map() },
      ...{ usesOuterIndex: true, usesLoopIndex: true, complex: false, parallel: false },
    }
    kernels.set(key, kernel)
  }
  return kernel
}

/** Which of the dimensions rows, keys, features, depth a tensor has, after those of the batch. */
type Axes = 'rows features' | 'keys features' | 'keys depth' | 'rows depth' | 'rows keys' | 'rows'

function run(
  name: string,
  reads: readonly (readonly [Tensor, Axes])[],
  writes: readonly (readonly [Tensor, Axes])[],
  { scale, isCausal }: AttentionAttributes,
): void {
  const [q, , v] = reads.map(([x]) => x)
  const k = reads[1][0]
  const all = [...reads, ...writes]
  const batch = q.ndim - 2
  const kernel = ownKernel(
    name,
    all.map(([x], i) => ({ dtype: x.dtype, access: i < reads.length ? 'read' : 'write' })),
  )
  const accesses = all.map(([x, axes]) => {
    const names = axes.split(' ')
    const own = ['rows', 'keys', 'features', 'depth'].map((axis) => {
      const at = names.indexOf(axis)
      return at < 0 ? 0 : x.strides[batch + at]
    })
    return operand(x, [...x.strides.slice(0, batch), ...own])
  })
  const [keys, features] = k.sizes.slice(-2)
  launch(q.device, kernel, q.sizes.slice(0, -1), [keys, features, v.sizes[v.ndim - 1]], accesses, [
    scale,
    isCausal ? 1 : 0,
  ])
}

const masked = (mask: Tensor | undefined) => (mask === undefined ? [] : [[mask, 'rows keys'] as const])

// The name that PyTorch has for devices that bring their own.
const node = 'ScaledDotProductFusedAttentionOverrideableBackward0'

// Without a mask and with one.
const fusedOps = [3, 4].map((inputs): Op<AttentionAttributes> => {
  // For second derivatives.
  const recomputed = recomputedOp<AttentionAttributes>(node, inputs, composed)
  return {
    node,
    forward: ([q, k, v, mask], attributes) => {
      const lead = q.sizes.slice(0, -1)
      const out = emptyTensor([...lead, v.sizes[v.ndim - 1]], q.dtype, q.device)
      // The logarithm of each row's sum of exponentials, then room for what the gradients need of each row: one memory,
      // because no device has to bind more than 8.
      const sums = emptyTensor([2, ...lead], q.dtype, q.device)
      const reads = [
        [q, 'rows features'],
        [k, 'keys features'],
        [v, 'keys depth'],
      ] as const
      run(
        forwardName,
        [...reads, ...masked(mask)],
        [
          [out, 'rows depth'],
          [select(sums, 0, 0), 'rows'],
        ],
        attributes,
      )
      return [out, sums]
    },
    nonDifferentiable: [1],
    saves: Array.from({ length: inputs }, (_, i) => i),
    savesOutputs: [0, 1],
    backward: ([g], c) => (gradMode.enabled ? recomputed.backward([g], c) : fusedGradients(g!, c)),
  }
})

function fusedGradients(g: Tensor, c: BackwardContext<AttentionAttributes>): (Tensor | null)[] {
  const [q, k, v] = [c.input(0), c.input(1), c.input(2)]
  const mask = c.inputSizes.length > 3 ? c.input(3) : undefined
  const like = (x: Tensor) => emptyTensor(x.sizes, x.dtype, x.device)
  const [gradQ, gradK, gradV] = [like(q), like(k), like(v)]
  const [sums, products] = [select(c.output(1), 0, 0), select(c.output(1), 0, 1)]
  const reads = [
    ...([
      [q, 'rows features'],
      [k, 'keys features'],
      [v, 'keys depth'],
      [g, 'rows depth'],
    ] as const),
    ...([[sums, 'rows']] as const),
  ]
  // The products of each row's result and gradient are made once, with the gradient of the queries.
  run(
    'attention_queries_backward',
    [...reads, [c.output(0), 'rows depth'], ...masked(mask)],
    [
      [gradQ, 'rows features'],
      [products, 'rows'],
    ],
    c.attributes,
  )
  run(
    'attention_keys_backward',
    [...reads, [products, 'rows'], ...masked(mask)],
    [
      [gradK, 'keys features'],
      [gradV, 'keys depth'],
    ],
    c.attributes,
  )
  return [gradQ, gradK, gradV, ...(mask === undefined ? [] : [null])]
}
