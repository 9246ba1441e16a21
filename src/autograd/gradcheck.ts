// Compares gradients with finite differences: torch.autograd.gradcheck and gradgradcheck.

import { RuntimeError, ValueError } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import { grad } from './engine.ts'
import { enableGrad, noGrad } from './mode.ts'

export interface GradcheckOptions {
  /** Step of the finite differences; default 1e-6. */
  eps?: number
  /** Absolute tolerance; default 1e-5. */
  atol?: number
  /** Relative tolerance; default 1e-3. */
  rtol?: number
  /** Throw (default) or return false where they differ. */
  raiseException?: boolean
}

type TensorFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[]

function outputsOf(f: TensorFunction, inputs: readonly Tensor[]): Tensor[] {
  const result = f(...inputs)
  return (result instanceof Tensor ? [result] : [...result]).filter((t) => t.dtype.kind === 'float')
}

/** d output[j] / d input[i] by central differences: one row for each element of the input. */
function numericalJacobian(
  f: TensorFunction,
  inputs: readonly Tensor[],
  which: number,
  output: number,
  eps: number,
): number[][] {
  const flat = inputs[which].detach().contiguous().view(-1)
  const rows: number[][] = []
  for (let i = 0; i < flat.sizes[0]; i++) {
    const at = (delta: number): number[] =>
      noGrad(() => {
        const moved = flat.clone()
        moved.setAt([i], Number(flat.at(i).item()) + delta)
        const changed = inputs.map((x, k) => (k === which ? moved.view(x.sizes) : x.detach()))
        return outputsOf(f, changed)[output].reshape(-1).tolist() as number[]
      })
    const plus = at(eps)
    const minus = at(-eps)
    rows.push(plus.map((value, j) => (value - minus[j]) / (2 * eps)))
  }
  return rows
}

function analyticalJacobian(
  f: TensorFunction,
  inputs: readonly Tensor[],
  which: number,
  output: number,
): number[][] {
  const out = outputsOf(f, inputs)[output]
  const n = out.numel()
  const columns: number[][] = []
  for (let j = 0; j < n; j++) {
    const selector = out.detach().mul(0).reshape(-1).contiguous().clone()
    selector.setAt([j], 1)
    const [g] = out.requiresGrad
      ? grad(out, inputs[which], {
          gradOutputs: selector.view(out.sizes),
          retainGraph: true,
          allowUnused: true,
        })
      : [null]
    columns.push(
      g === null ? new Array<number>(inputs[which].numel()).fill(0) : (g.reshape(-1).tolist() as number[]),
    )
  }
  return Array.from({ length: inputs[which].numel() }, (_, i) => columns.map((c) => c[i]))
}

/**
 * Checks the gradients of `f` at `inputs` against finite differences.
 *
 * @param f Returns a tensor or several.
 * @param inputs Float64 tensors; those that require grad are checked.
 * @returns true, or (where `raiseException` is false) false.
 * @throws RuntimeError with both Jacobians where they differ.
 */
export function gradcheck(
  f: TensorFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3, raiseException = true } = options
  if (!inputs.some((x) => x.requiresGrad))
    throw new ValueError(
      'gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.',
    )
  const outputs = outputsOf(f, inputs)
  for (let output = 0; output < outputs.length; output++)
    for (let which = 0; which < inputs.length; which++) {
      if (!inputs[which].requiresGrad) continue
      const numerical = numericalJacobian(f, inputs, which, output, eps)
      const analytical = analyticalJacobian(f, inputs, which, output)
      const close = numerical.every((row, i) =>
        row.every((value, j) => Math.abs(value - analytical[i][j]) <= atol + rtol * Math.abs(value)),
      )
      if (close) continue
      if (!raiseException) return false
      throw new RuntimeError(
        `Jacobian mismatch for output ${output} with respect to input ${which},\nnumerical:${JSON.stringify(numerical)}\nanalytical:${JSON.stringify(analytical)}\n`,
      )
    }
  return true
}

/** Checks second derivatives: `gradcheck` of the gradients of `f`. */
export function gradgradcheck(
  f: TensorFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const wanted = inputs.map((x, i) => (x.requiresGrad ? i : -1)).filter((i) => i >= 0)
  const cotangents = outputsOf(f, inputs).map((o) =>
    o.detach().mul(0).add(0.7).add(o.detach().cos().mul(0.1)).requiresGrad_(),
  )
  const gradients = (...all: Tensor[]): Tensor[] => {
    const xs = all.slice(0, inputs.length)
    const us = all.slice(inputs.length)
    const outputs = outputsOf(f, xs)
    const used = outputs.map((o, i) => [o, us[i]] as const).filter(([o]) => o.requiresGrad)
    // Under noGrad (finite differences) the first derivative still needs its graph.
    return grad(
      used.map(([o]) => o),
      wanted.map((i) => xs[i]),
      { gradOutputs: used.map(([, u]) => u), createGraph: true, allowUnused: true },
    ).map((g, i) => g ?? xs[wanted[i]].mul(0))
  }
  const withGrad: TensorFunction = (...all) => {
    const leaves = all.map((x, i) =>
      i < inputs.length && !inputs[i].requiresGrad ? x : x.requiresGrad ? x : x.detach().requiresGrad_(),
    )
    return enableGrad(() => gradients(...leaves))
  }
  return gradcheck(withGrad, [...inputs, ...cotangents], options)
}
