// The functions linear and bilinear.

import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { checkTensor, describe, type FunctionInfo, fn } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'

export interface Linear {
  (input: Tensor, weight: Tensor, bias?: Tensor | null): Tensor
  (input: Tensor, weight: Tensor, options?: { bias?: Tensor | null }): Tensor
}

/** x Wᵀ + b over the last dimension: `[..., in]` with a weight `[out, in]` and a bias `[out]` to `[..., out]`. */
export const linear: Linear & FunctionInfo = fn<Linear>(
  'linear',
  ['input', 'weight'],
  ['bias'],
  (input: Tensor, weight: Tensor, { bias = null }: { bias?: Tensor | null }) => {
    checkTensor('linear', 'input', input)
    checkTensor('linear', 'weight', weight)
    if (bias !== null && !(bias instanceof Tensor))
      throw new TypeError_(`linear(): argument 'bias' must be Tensor, not ${describe(bias)}`)
    if (weight.ndim === 1) {
      const product = input.matmul(weight)
      return bias === null ? product : product.add(bias)
    }
    if (bias === null) return input.matmul(weight.t())
    if (input.ndim === 2) return bias.addmm(input, weight.t())
    // One product of matrices for all leading dimensions, as PyTorch has it for contiguous inputs.
    if (input.ndim > 0 && bias.ndim === 1 && input.isContiguous()) {
      const sizes = input.sizes
      const rows = input.reshape([-1, sizes[sizes.length - 1]])
      return bias.addmm(rows, weight.t()).view([...sizes.slice(0, -1), weight.sizes[0]])
    }
    return input.matmul(weight.t()).add(bias)
  },
  { method: false },
)

export interface Bilinear {
  (input1: Tensor, input2: Tensor, weight: Tensor, bias?: Tensor | null): Tensor
  (input1: Tensor, input2: Tensor, weight: Tensor, options?: { bias?: Tensor | null }): Tensor
}

/** x₁ᵀ A x₂ + b: `[..., in1]` and `[..., in2]` with a weight `[out, in1, in2]` to `[..., out]`. */
export const bilinear: Bilinear & FunctionInfo = fn<Bilinear>(
  'bilinear',
  ['input1', 'input2', 'weight'],
  ['bias'],
  (input1: Tensor, input2: Tensor, weight: Tensor, { bias = null }: { bias?: Tensor | null }) => {
    if (input1.ndim !== input2.ndim)
      throw new RuntimeError(
        `bilinear(): input dimensions do not match: got ${input1.ndim} and ${input2.ndim}`,
      )
    const leading = input1.sizes.slice(0, -1)
    for (let d = 0; d < leading.length; d++)
      if (leading[d] !== input2.sizes[d])
        throw new RuntimeError(
          `bilinear(): input batch dimensions do not match at dim ${d}: got ${leading[d]} and ${input2.sizes[d]}`,
        )
    const [out, in1, in2] = weight.sizes
    if (input1.sizes[input1.ndim - 1] !== in1)
      throw new RuntimeError(
        `bilinear(): input1 size does not match weight size: got ${input1.sizes[input1.ndim - 1]} but expected ${in1}`,
      )
    if (input2.sizes[input2.ndim - 1] !== in2)
      throw new RuntimeError(
        `bilinear(): input2 size does not match weight size: got ${input2.sizes[input2.ndim - 1]} but expected ${in2}`,
      )
    const x1 = input1.reshape([-1, in1])
    const x2 = input2.reshape([-1, in2])
    // [n, out * in2], then each row's product with x2.
    const partial = x1.matmul(weight.permute(1, 0, 2).reshape([in1, out * in2])).view([-1, out, in2])
    const result = partial
      .matmul(x2.unsqueeze(2))
      .squeeze(2)
      .view([...leading, out])
    return bias === null ? result : result.add(bias)
  },
  { method: false },
)
