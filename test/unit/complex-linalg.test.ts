// Linear algebra of complex matrices, and eigenvalues of any: factors multiply to the matrix, and have the form they should.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor
const { linalg } = torch
const { complex128, float64 } = torch

const random = (...sizes: number[]): Tensor => {
  torch.manualSeed(sizes.reduce((a, b) => 31 * a + b, 7))
  return torch.randn(sizes, { dtype: complex128 })
}
const largest = (x: Tensor): number => (x.numel() === 0 ? 0 : (x.abs().max().item() as number))
const close = (a: Tensor, b: Tensor) => {
  expect(a.shape).toEqual(b.shape)
  expect(largest(a.sub(b))).toBeLessThan(1e-12)
}
const identityLike = (x: Tensor) => torch.eye(x.shape[x.ndim - 1], { dtype: complex128 }).expandAs(x)
const shapes = [
  [4, 4],
  [5, 3],
  [3, 5],
  [2, 3, 4, 4],
  [1, 1],
  [0, 3],
]

describe.each(shapes)('matrices %j', (...sizes) => {
  const a = random(...sizes)

  test('P L U is the matrix', () => {
    const { P, L, U } = linalg.lu(a)
    close(P.matmul(L).matmul(U), a)
    close(L.triu(1), L.mul(0))
    close(U.tril(-1), U.mul(0))
  })

  test('Q R is the matrix, Q unitary, the diagonal of R real', () => {
    const { Q, R } = linalg.qr(a)
    close(Q.matmul(R), a)
    close(Q.mH.matmul(Q), identityLike(Q.mH.matmul(Q)))
    expect(largest(torch.imag(R.diagonal(0, -2, -1)))).toBe(0)
  })

  test.each([true, false])('U S Vh is the matrix (full: %s)', (fullMatrices) => {
    const { U, S, Vh } = linalg.svd(a, { fullMatrices })
    const k = S.shape[S.ndim - 1]
    close(
      U.narrow(-1, 0, k)
        .mul(S.unsqueeze(-2))
        .matmul(Vh.narrow(-2, 0, k)),
      a,
    )
    close(U.mH.matmul(U), identityLike(U.mH.matmul(U)))
    close(Vh.matmul(Vh.mH), identityLike(Vh.matmul(Vh.mH)))
    expect(S.dtype).toBe(float64)
    close(S, linalg.svdvals(a))
  })
})

test('a singular matrix has a full set of singular vectors', () => {
  const row = random(1, 4)
  const { U, S, Vh } = linalg.svd(torch.cat([row, row.mul(2), row.mul(-1)], 0))
  close(U.mH.matmul(U), identityLike(U))
  close(Vh.mH.matmul(Vh), identityLike(Vh))
  expect(largest(S.narrow(0, 1, 2))).toBeLessThan(1e-12)
})

test('eigenvectors of Hermitian matrices: V diag(L) V^H, of the triangle that is named', () => {
  const a = random(3, 5, 5)
  const hermitian = a.add(a.mH)
  const { eigenvalues, eigenvectors } = linalg.eigh(hermitian)
  close(eigenvectors.mul(eigenvalues.unsqueeze(-2)).matmul(eigenvectors.mH), hermitian)
  expect(eigenvalues.dtype).toBe(float64)
  close(linalg.eigvalsh(hermitian.tril()), eigenvalues)
  close(linalg.eigvalsh(hermitian.triu(), 'U'), eigenvalues)
})

describe('eigenvalues of any matrix', () => {
  test.each([
    [
      [
        [0, 1],
        [0, 0],
      ],
      [0, 0],
    ],
    [
      [
        [0, 0],
        [0, 0],
      ],
      [0, 0],
    ],
    [
      [
        [0, -1],
        [1, 0],
      ],
      [1, -1],
    ],
    [
      [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
      ],
      [Math.sqrt(3) / 2, -Math.sqrt(3) / 2, 0],
    ],
    [
      [
        [2, 1, 0],
        [0, 2, 1],
        [0, 0, 2],
      ],
      [0, 0, 0],
    ],
    [
      [
        [1e10, 1],
        [0, 1e-10],
      ],
      [0, 0],
    ],
  ])('%j: imaginary parts %j', (rows, imaginary) => {
    const a = torch.tensor(rows, { dtype: float64 })
    const { eigenvalues, eigenvectors } = linalg.eig(a)
    const found = torch.imag(eigenvalues).tolist() as number[]
    found.forEach((x, i) => {
      expect(x).toBeCloseTo(imaginary[i], 12)
    })
    const norm = largest(a) || 1
    const product = a.to(complex128).matmul(eigenvectors)
    expect(largest(product.sub(eigenvectors.mul(eigenvalues.unsqueeze(-2)))) / norm).toBeLessThan(1e-14)
    close(eigenvectors.abs().pow(2).sum(0), torch.ones(rows.length, { dtype: float64 }))
  })

  test('real matrices have exact conjugate pairs, the positive imaginary part first', () => {
    torch.manualSeed(3)
    const values = linalg.eigvals(torch.randn(21, 21, { dtype: float64 }))
    const im = torch.imag(values).tolist() as number[]
    expect(im.some((x) => x > 0)).toBe(true)
    for (let i = 0; i < im.length; i++) {
      if (im[i] > 0) expect(im[i + 1]).toBe(-im[i])
      if (im[i] < 0) expect(im[i - 1]).toBe(-im[i])
    }
  })

  test('derivatives agree with finite differences, for what does not depend on phases', () => {
    for (const dtype of [float64, complex128]) {
      torch.manualSeed(5)
      const a = torch.randn(4, 4, { dtype }).requiresGrad_()
      const f = (x: Tensor) => {
        const { eigenvalues, eigenvectors } = linalg.eig(x)
        return [eigenvalues.abs().sum(), eigenvectors.abs()]
      }
      expect(torch.autograd.gradcheck(f, [a])).toBe(true)
      expect(torch.autograd.gradgradcheck(f, [a])).toBe(true)
    }
  })

  test('what is no number, and a derivative that depends on phases, are errors', () => {
    expect(() =>
      linalg.eig(
        torch.tensor([
          [1, Number.NaN],
          [0, 1],
        ]),
      ),
    ).toThrow('should not contain infs or NaNs')
    expect(() => linalg.eigvals(torch.ones(2, 3))).toThrow('square')
    const x = random(3, 3).requiresGrad_()
    expect(() => torch.real(linalg.eig(x).eigenvectors).sum().backward()).toThrow('ill-defined')
    expect(() => torch.real(linalg.svd(x).U).sum().backward()).toThrow('ill-defined')
  })
})

test('determinants: the logarithm has the determinant as its exponential', () => {
  const a = random(3, 4, 4)
  close(torch.logdet(a).exp(), linalg.det(a))
  const { sign, logabsdet } = linalg.slogdet(a)
  close(sign.mul(logabsdet.exp()), linalg.det(a))
  const singular = torch
    .tensor(
      [
        [1, 2],
        [2, 4],
      ],
      { dtype: complex128 },
    )
    .requiresGrad_()
  torch.real(linalg.det(singular)).backward()
  close(
    singular.grad!,
    torch.tensor(
      [
        [4, -2],
        [-2, 1],
      ],
      { dtype: complex128 },
    ),
  )
})

test('random complex numbers are those of PyTorch 2.13', () => {
  torch.manualSeed(0)
  const [a, b] = torch.randn(2, { dtype: torch.complex64 }).tolist() as torch.Complex[]
  expect([a.re, a.im, b.re, b.im]).toEqual([
    1.0896488428115845, -0.20748557150363922, -1.5406367778778076, 0.40194159746170044,
  ])
})
