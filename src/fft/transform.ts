// The discrete Fourier transform of numbers held as a real and an imaginary tensor, made of products and sums so that
// it differentiates. Lengths are split into their prime factors (Cooley and Tukey 1965).

import { add, mul, sub } from '../ops/arithmetic.ts'
import { tensor } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { matmul } from '../ops/matmul.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Complex numbers: `im` null where all are real. */
export interface Complex {
  readonly re: Tensor
  readonly im: Tensor | null
}

// cos and sin of 2 pi (row * column mod n) / n.
function waves(rows: number, columns: number, n: number, { dtype, device }: Tensor): [Tensor, Tensor] {
  const make = (f: (angle: number) => number) =>
    tensor(
      Float64Array.from({ length: rows * columns }, (_, i) => {
        const turn = (Math.floor(i / columns) * (i % columns)) % n
        return f((2 * Math.PI * turn) / n)
      }),
      { dtype, device },
    ).reshape([rows, columns])
  return [make(Math.cos), make(Math.sin)]
}

// (a + ib)(c + i sign s), elementwise or as a product of matrices.
function multiply(
  { re, im }: Complex,
  [c, s]: readonly [Tensor, Tensor],
  sign: number,
  product: (a: Tensor, b: Tensor) => Tensor,
): Complex {
  const [reC, reS] = [product(re, c), product(re, s).mul(sign)]
  if (im === null) return { re: reC, im: reS }
  return { re: sub(reC, product(im, s).mul(sign)), im: add(reS, product(im, c)) }
}

const map = ({ re, im }: Complex, f: (x: Tensor) => Tensor): Complex => ({
  re: f(re),
  im: im === null ? null : f(im),
})

function smallestFactor(n: number): number {
  for (let p = 2; p * p <= n; p++) if (n % p === 0) return p
  return n
}

// Along the last dimension: X[k] = sum over j of x[j] exp(sign 2 pi i j k / n).
function transformLast(x: Complex, n: number, sign: number): Complex {
  const p = smallestFactor(n)
  if (p === n || n <= 16) return multiply(x, waves(n, n, n, x.re), sign, matmul)
  // j = p a + b, k = (n / p) c + d: transforms over a, then a turn by b d / n, then transforms over b.
  const q = n / p
  const lead = x.re.sizes.slice(0, -1)
  const split = map(x, (t) => t.reshape([...lead, q, p]).transpose(-1, -2))
  const inner = transformLast(split, q, sign)
  const turned = multiply(inner, waves(p, q, n, x.re), sign, mul)
  const outer = transformLast(
    map(turned, (t) => t.transpose(-1, -2)),
    p,
    sign,
  )
  return map(outer, (t) => t.transpose(-1, -2).reshape([...lead, n]))
}

/** The transform along a dimension, without scaling: `sign` -1 forward, 1 backward. */
export function transform(x: Complex, dim: number, sign: number): Complex {
  const n = x.re.sizes[dim]
  const moved = map(x, (t) => t.movedim(dim, -1))
  return map(transformLast(moved, n, sign), (t) => t.movedim(-1, dim))
}

/**
 * The real transform of one half of a Hermitian spectrum along a dimension, to `n` numbers, without scaling. Only the
 * real parts of the first number, and of the middle one for even n, count.
 */
export function realTransform({ re, im }: Complex, dim: number, n: number, sign: number): Tensor {
  const half = Math.floor(n / 2) + 1
  // The other half: the mirror image, conjugated.
  const mirrored = (x: Tensor) => x.narrow(dim, Math.min(1, x.sizes[dim] - 1), n - half).flip(dim)
  const whole = {
    re: cat([re, mirrored(re)], dim),
    im: im === null ? null : cat([im, mirrored(im).neg()], dim),
  }
  return transform(whole, dim, sign).re
}
