// Complex numbers and their parts: making them from real ones, real and imaginary parts, conjugates. The views that show
// memory as complex or real are in views.ts; absolute values, signs and angles in math.ts.

import { complexOf, float16, float32, float64, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { broadcastSizes } from '../core/shape.ts'
import { conjugate, complexOf as pairOf } from '../kernels/complex.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { clone } from './conversion.ts'
import { broadcastOperand, commonDevice, emptyTensor, launch, operand } from './launch.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { conjugateOf, pointwise, type Unary, type UnaryOnly } from './pointwise.ts'
import { conj, select, viewAsReal } from './views.ts'

const asMethod = { required: ['input'], optional: [], method: true } as const
const asProperty = { required: ['input'], optional: [], method: false } as const

// The parts of a conjugated tensor are those of its memory, the imaginary one negated (a copy).
function partOf(x: Tensor, which: 0 | 1): Tensor {
  if (!x.conjugated) return select(viewAsReal(x), -1, which)
  const part = select(viewAsReal(conj(x)), -1, which)
  return which === 0 ? part : part.neg()
}

/** The real part: a view of a complex tensor, a real tensor itself. */
export const real: UnaryOnly = Object.assign((x: Tensor) => {
  checkTensor('real', 'input', x)
  return x.dtype.kind === 'complex' ? partOf(x, 0) : x
}, asProperty)

/** The imaginary part, a view. Throws for real tensors. */
export const imag: UnaryOnly = Object.assign((x: Tensor) => {
  checkTensor('imag', 'input', x)
  if (x.dtype.kind !== 'complex')
    throw new RuntimeError('imag is not implemented for tensors with non-complex dtypes.')
  return partOf(x, 1)
}, asProperty)

const conjPhysicalRun = pointwise({
  name: 'conj_physical',
  node: 'ConjPhysicalBackward0',
  kernel: ([x]) => conjugate(x),
  backward: (g) => [conjugateOf(g)],
})

/** The complex conjugate, computed at once; a real tensor as it is. */
export const conjPhysical: Unary = Object.assign(
  (x: Tensor) => (x.dtype.kind === 'complex' ? conjPhysicalRun([x]) : x),
  { ...asMethod, inPlace: (x: Tensor) => (x.dtype.kind === 'complex' ? conjPhysicalRun.inPlace([x]) : x) },
)

/** The tensor itself, or a copy with the conjugates written out where it is conjugated lazily, as by `conj`. */
export const resolveConj: UnaryOnly = Object.assign((x: Tensor) => (x.conjugated ? clone(x) : x), asMethod)

/** The tensor itself: nothing is negated lazily here. */
export const resolveNeg: UnaryOnly = Object.assign((x: Tensor) => x, asMethod)

const joinKernels = new Map<number, Kernel>()

function joinKernel(part: typeof float32): Kernel {
  let kernel = joinKernels.get(part.index)
  if (kernel === undefined) {
    const b = new KernelBuilder('complex')
    const [re, im] = [b.input(part), b.input(part)]
    b.write(b.output(complexOf(part)), pairOf(b.read(re), b.read(im)))
    kernel = b.build()
    joinKernels.set(part.index, kernel)
  }
  return kernel
}

const complexOp: Op<null> = {
  node: 'ComplexBackward0',
  forward: ([re, im]) => {
    const sizes = broadcastSizes(re.sizes, im.sizes)
    const out = emptyTensor(sizes, complexOf(re.dtype), commonDevice('complex', [re, im]))
    const operands = [broadcastOperand(re, sizes), broadcastOperand(im, sizes), operand(out)]
    launch(out.device, joinKernel(re.dtype), sizes, [], operands)
    return out
  },
  backward: ([g], c) => [c.needs(0) ? real(g!) : null, c.needs(1) ? imag(g!) : null],
}

function checkParts(name: string, a: Tensor, b: Tensor, names: readonly [string, string]): void {
  checkTensor(name, names[0], a)
  checkTensor(name, names[1], b)
  if (a.dtype !== float32 && a.dtype !== float64 && a.dtype !== float16)
    throw new RuntimeError(
      `Expected both inputs to be Half, Float or Double tensors but got ${scalarTypeName(a.dtype)} and ${scalarTypeName(b.dtype)}`,
    )
  if (a.dtype !== b.dtype)
    throw new RuntimeError(
      `Expected object of scalar type ${scalarTypeName(a.dtype)} but got scalar type ${scalarTypeName(b.dtype)} for second argument`,
    )
}

/** The type of `complex`. */
export type MakeComplex = (real: Tensor, imag: Tensor) => Tensor

/** A complex tensor with these real and imaginary parts (float32 or float64, both of one dtype; broadcast). */
export const complex: MakeComplex & FunctionInfo = fn<MakeComplex>(
  'complex',
  ['real', 'imag'],
  [],
  (re: Tensor, im: Tensor) => {
    checkParts('complex', re, im, ['real', 'imag'])
    return apply(complexOp, [re, im], null)
  },
  { method: false },
)

const polarOp: Op<null> = {
  node: 'PolarBackward0',
  forward: ([length, angle]) => complex(length.mul(angle.cos()), length.mul(angle.sin())),
  saves: [0, 1],
  backward: ([g], c) => {
    const [length, angle] = [c.input(0), c.input(1)]
    const [re, im, cos, sin] = [real(g!), imag(g!), angle.cos(), angle.sin()]
    return [
      c.needs(0) ? re.mul(cos).add(im.mul(sin)) : null,
      c.needs(1) ? im.mul(cos).sub(re.mul(sin)).mul(length) : null,
    ]
  },
}

/** The type of `polar`. */
export type Polar = (abs: Tensor, angle: Tensor) => Tensor

/** A complex tensor with these absolute values and angles in radians. */
export const polar: Polar & FunctionInfo = fn<Polar>(
  'polar',
  ['abs', 'angle'],
  [],
  (length: Tensor, angle: Tensor) => {
    checkParts('polar', length, angle, ['abs', 'angle'])
    return apply(polarOp, [length, angle], null)
  },
  { method: false },
)
