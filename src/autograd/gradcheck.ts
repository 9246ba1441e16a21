// Compares gradients with finite differences: torch.autograd.gradcheck and gradgradcheck.

import { RuntimeError, ValueError } from '../core/errors.ts'
import { tensor } from '../ops/creation.ts'
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
  /**
   * Compare each Jacobian along one random direction of its input and of its output (always the same ones) rather than
   * element by element; default false. Few calls of the function, whatever the sizes.
   */
  fastMode?: boolean
}

type TensorFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[]

function outputsOf(f: TensorFunction, inputs: readonly Tensor[]): Tensor[] {
  const result = f(...inputs)
  return (result instanceof Tensor ? [result] : [...result]).filter((t) => t.dtype.isInexact)
}

// Complex numbers are pairs of real ones here: a gradient of the pair is what autograd calls the gradient.
function coordinates(x: Tensor): number[] {
  const values = x.detach()
  return (values.dtype.kind === 'complex' ? values.resolveConj().viewAsReal() : values)
    .reshape(-1)
    .tolist() as number[]
}

function fromCoordinates(numbers: readonly number[], like: Tensor): Tensor {
  if (like.dtype.kind !== 'complex')
    return tensor([...numbers], { dtype: like.dtype, device: like.device }).view(like.sizes)
  const pairs = tensor([...numbers], { dtype: like.real.dtype, device: like.device })
  return pairs.view([...like.sizes, 2]).viewAsComplex()
}

/** d f / d t at 0, for `inputs[which]` moved by t times `direction`: the coordinates of each output. */
function numericalDerivative(
  f: TensorFunction,
  inputs: readonly Tensor[],
  which: number,
  direction: (coordinate: number) => number,
  eps: number,
): number[][] {
  const place = coordinates(inputs[which])
  const at = (t: number): number[][] => {
    const moved = fromCoordinates(
      place.map((x, i) => x + t * direction(i)),
      inputs[which],
    )
    const changed = inputs.map((x, k) => (k === which ? moved : x.detach()))
    return noGrad(() => outputsOf(f, changed).map(coordinates))
  }
  const plus = at(eps)
  const minus = at(-eps)
  return plus.map((values, o) => values.map((value, j) => (value - minus[o][j]) / (2 * eps)))
}

/** The gradients of all inputs for one cotangent of an output, as coordinates; null for those that need none. */
function gradients(
  output: Tensor,
  inputs: readonly Tensor[],
  cotangent: readonly number[],
): (number[] | null)[] {
  const wanted = inputs.filter((x) => x.requiresGrad)
  const found = output.requiresGrad
    ? grad(output, wanted, {
        gradOutputs: fromCoordinates(cotangent, output),
        retainGraph: true,
        allowUnused: true,
      })
    : []
  return inputs.map((x) => {
    if (!x.requiresGrad) return null
    const g = found[wanted.indexOf(x)] ?? null
    return g === null ? coordinates(x).map(() => 0) : coordinates(g)
  })
}

function mismatch(output: number, input: number, numerical: unknown, analytical: unknown): RuntimeError {
  return new RuntimeError(
    `Jacobian mismatch for output ${output} with respect to input ${input},\nnumerical:${JSON.stringify(numerical)}\nanalytical:${JSON.stringify(analytical)}\n`,
  )
}

/** Compares every element of every Jacobian. Returns the first difference. */
function compareJacobians(
  f: TensorFunction,
  inputs: readonly Tensor[],
  eps: number,
  close: (a: number, b: number) => boolean,
): RuntimeError | null {
  const outputs = outputsOf(f, inputs)
  // One row for each coordinate of the output: the gradients of all inputs.
  const rows = outputs.map((output) =>
    coordinates(output).map((_, j, all) =>
      gradients(
        output,
        inputs,
        all.map((_value, k) => (k === j ? 1 : 0)),
      ),
    ),
  )
  for (const [which, input] of inputs.entries()) {
    if (!input.requiresGrad) continue
    // One column for each coordinate of the input: the derivatives of all outputs.
    const columns = coordinates(input).map((_, i) =>
      numericalDerivative(f, inputs, which, (k) => (k === i ? 1 : 0), eps),
    )
    for (let o = 0; o < outputs.length; o++) {
      const numerical = columns.map((column) => column[o])
      const analytical = columns.map((_, i) => rows[o].map((row) => row[which]![i]))
      if (!numerical.every((column, i) => column.every((value, j) => close(analytical[i][j], value))))
        return mismatch(o, which, numerical, analytical)
    }
  }
  return null
}

// Factors between 0.5 and 1.5 of either sign, the same in every run.
function directions(): () => number {
  let state = 2463534242
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const x = (state >>> 0) / 2 ** 32
    return x < 0.5 ? -0.5 - 2 * x : 2 * x - 0.5
  }
}

/** Compares u * J * v for random u and v. Returns the first difference. */
function compareProjections(
  f: TensorFunction,
  inputs: readonly Tensor[],
  eps: number,
  close: (a: number, b: number) => boolean,
): RuntimeError | null {
  const next = directions()
  const outputs = outputsOf(f, inputs)
  const us = outputs.map((output) => coordinates(output).map(next))
  const vs = inputs.map((input) => coordinates(input).map(next))
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, value, i) => sum + value * b[i], 0)
  const analytical = outputs.map((output, o) =>
    gradients(output, inputs, us[o]).map((g, i) => (g === null ? 0 : dot(g, vs[i]))),
  )
  for (const [which, input] of inputs.entries()) {
    if (!input.requiresGrad) continue
    const numerical = numericalDerivative(f, inputs, which, (k) => vs[which][k], eps)
    for (let o = 0; o < outputs.length; o++) {
      const projected = dot(us[o], numerical[o])
      if (!close(analytical[o][which], projected)) return mismatch(o, which, projected, analytical[o][which])
    }
  }
  return null
}

/**
 * Checks the gradients of `f` at `inputs` against finite differences. Complex inputs and outputs count as pairs of
 * real numbers.
 *
 * @param f Returns a tensor or several; those of integers are passed over.
 * @param inputs Float64 or complex128 tensors; those that require grad are checked.
 * @returns true, or (where `raiseException` is false) false.
 * @throws RuntimeError with both Jacobians where they differ, ValueError if no input requires grad.
 */
export function gradcheck(
  f: TensorFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3, raiseException = true, fastMode = false } = options
  if (!inputs.some((x) => x.requiresGrad))
    throw new ValueError(
      'gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.',
    )
  const close = (actual: number, expected: number): boolean =>
    Object.is(actual, expected) || Math.abs(actual - expected) <= atol + rtol * Math.abs(expected)
  const difference = (fastMode ? compareProjections : compareJacobians)(f, inputs, eps, close)
  if (difference !== null && raiseException) throw difference
  return difference === null
}

/**
 * Checks second derivatives: `gradcheck` of the gradients of `f`, as functions of the inputs and of the cotangents.
 *
 * @throws RuntimeError where they differ from finite differences of the first derivatives, and where those cannot be
 *     differentiated.
 */
export function gradgradcheck(
  f: TensorFunction,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): boolean {
  const wanted = inputs.map((x, i) => (x.requiresGrad ? i : -1)).filter((i) => i >= 0)
  const next = directions()
  const cotangents = outputsOf(f, inputs).map((o) =>
    fromCoordinates(coordinates(o).map(next), o).requiresGrad_(),
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
