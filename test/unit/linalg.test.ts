// Linear algebra: factorisations multiply back, solutions solve, derivatives agree with finite differences.

import { describe, expect, test } from 'vitest'
import { gradcheck, gradgradcheck } from '../../src/autograd/gradcheck.ts'
import * as torch from '../../src/index.ts'

const { linalg } = torch
type Tensor = torch.Tensor
const random = (...sizes: number[]): Tensor =>
  torch.randn(sizes, { dtype: torch.float64, requiresGrad: true })
const matrix = (rows: number[][]): Tensor => torch.tensor(rows, { dtype: torch.float64 })
const identity = (n: number): Tensor => torch.eye(n, { dtype: torch.float64 })
const distance = (a: Tensor, b: Tensor): number => Number(a.sub(b).abs().max().item())
const positive = (x: Tensor): Tensor => x.matmul(x.mT).add(identity(x.sizes[x.ndim - 1]))
const shapes = { square: [3, 3], wide: [2, 3, 5], tall: [5, 3] }

describe('factorisations multiply back', () => {
  for (const [name, sizes] of Object.entries(shapes)) {
    test(`svd, qr and lu of a ${name} matrix`, () => {
      const a = random(...sizes).detach()
      for (const fullMatrices of [true, false]) {
        const { U, S, Vh } = linalg.svd(a, { fullMatrices })
        const k = S.sizes[S.ndim - 1]
        const product = U.narrow(-1, 0, k)
          .mul(S.unsqueeze(-2))
          .matmul(Vh.narrow(-2, 0, k))
        expect(distance(product, a)).toBeLessThan(1e-12)
        expect(distance(U.mT.matmul(U), identity(U.sizes[U.ndim - 1]))).toBeLessThan(1e-12)
        expect(distance(Vh.matmul(Vh.mT), identity(Vh.sizes[Vh.ndim - 2]))).toBeLessThan(1e-12)
      }
      const { Q, R } = linalg.qr(a)
      expect(distance(Q.matmul(R), a)).toBeLessThan(1e-12)
      expect(distance(R.triu(), R)).toBe(0)
      const { P, L, U } = linalg.lu(a)
      expect(distance(P.matmul(L).matmul(U), a)).toBeLessThan(1e-12)
    })
  }

  test('singular values of a matrix of low rank end in zeros, its vectors stay orthogonal', () => {
    const a = matrix([
      [1, 2, 3],
      [2, 4, 6],
      [3, 6, 9],
      [0, 0, 0],
    ])
    const { U, S } = linalg.svd(a)
    expect(S.at(0).item()).toBeCloseTo(14, 10)
    expect(Number(S.at(1).item())).toBeLessThan(1e-12)
    expect(distance(U.mT.matmul(U), identity(4))).toBeLessThan(1e-12)
    expect(linalg.matrixRank(a).item()).toBe(1)
  })

  test('eigh reads one triangle and sorts ascending', () => {
    const { eigenvalues, eigenvectors } = linalg.eigh(
      matrix([
        [2, 99],
        [1, 2],
      ]),
    )
    expect(distance(eigenvalues, matrix([[1, 3]]).view(-1))).toBeLessThan(1e-12)
    const again = eigenvectors.mul(eigenvalues).matmul(eigenvectors.mT)
    expect(
      distance(
        again,
        matrix([
          [2, 1],
          [1, 2],
        ]),
      ),
    ).toBeLessThan(1e-12)
  })

  test('cholesky of what is not positive definite names the minor', () => {
    expect(() =>
      linalg.cholesky(
        matrix([
          [1, 2],
          [2, 1],
        ]),
      ),
    ).toThrow('the leading minor of order 2 is not positive-definite')
    expect(
      linalg
        .choleskyEx(
          matrix([
            [1, 2],
            [2, 1],
          ]),
        )
        .info.item(),
    ).toBe(2)
  })
})

describe('systems', () => {
  test('solve, from the left, from the right, for vectors', () => {
    const a = random(2, 3, 3).detach()
    const b = random(3, 4).detach()
    expect(distance(a.matmul(linalg.solve(a, b)), b)).toBeLessThan(1e-9)
    expect(distance(linalg.solve(a, b.mT, { left: false }).matmul(a), b.mT)).toBeLessThan(1e-9)
    const x = linalg.solve(a, b.select(1, 0))
    expect(distance(a.matmul(x.unsqueeze(-1)).squeeze(-1), b.select(1, 0).expand([2, 3]))).toBeLessThan(1e-9)
  })

  test('a singular matrix of a batch is named', () => {
    const batch = torch.stack([
      identity(2),
      matrix([
        [1, 2],
        [2, 4],
      ]),
    ])
    expect(() => linalg.inv(batch)).toThrow('linalg.inv: (Batch element 1): The diagonal element 2 is zero')
    expect(() => linalg.inv(matrix([[1, 2, 3]]))).toThrow(
      'A must be batches of square matrices, but they are 1 by 3',
    )
  })

  test('determinants, their logarithms, and the gradient of a singular matrix', () => {
    const a = matrix([
      [1, 2],
      [3, 4],
    ])
    expect(linalg.det(a).item()).toBeCloseTo(-2, 12)
    const { sign, logabsdet } = linalg.slogdet(a)
    expect(sign.item()).toBe(-1)
    expect(logabsdet.item()).toBeCloseTo(Math.log(2), 12)
    expect(a.logdet().item()).toBeNaN()
    const singular = matrix([
      [1, 2],
      [2, 4],
    ]).requiresGrad_()
    linalg.det(singular).backward()
    expect(
      distance(
        singular.grad as Tensor,
        matrix([
          [4, -2],
          [-2, 1],
        ]),
      ),
    ).toBeLessThan(1e-12)
  })

  test('lstsq and pinv of a tall matrix satisfy the normal equations', () => {
    const a = random(5, 3).detach()
    const b = random(5, 2).detach()
    const { solution } = linalg.lstsq(a, b)
    expect(distance(a.mT.matmul(a).matmul(solution), a.mT.matmul(b))).toBeLessThan(1e-10)
    expect(distance(linalg.pinv(a).matmul(a), identity(3))).toBeLessThan(1e-10)
  })
})

describe('derivatives agree with finite differences', () => {
  const a = random(2, 3, 3)
  const cases: [string, (...xs: Tensor[]) => Tensor | Tensor[], Tensor[]][] = [
    ['inv', (x) => linalg.inv(positive(x)), [a]],
    ['solve', (x, y) => linalg.solve(positive(x), y), [a, random(3, 2)]],
    ['slogdet', (x) => linalg.slogdet(positive(x)).logabsdet, [a]],
    ['cholesky', (x) => linalg.cholesky(positive(x)), [a]],
    ['solveTriangular', (x, y) => linalg.solveTriangular(positive(x), y, { upper: true }), [a, random(3, 2)]],
    ['eigh', (x) => [linalg.eigh(x.add(x.mT)).eigenvalues, linalg.eigh(x.add(x.mT)).eigenvectors.abs()], [a]],
    ['matrixExp', (x) => linalg.matrixExp(x), [a]],
    ['householderProduct', (x, y) => linalg.householderProduct(x, y), [random(4, 3), random(3)]],
    ['cdist', (x, y) => torch.cdist(x, y), [random(3, 2), random(4, 2)]],
    ['cross', (x, y) => linalg.cross(x, y), [a, random(1, 3, 3)]],
  ]
  for (const sizes of Object.values(shapes)) {
    const x = random(...sizes)
    cases.push([`qr of ${sizes}`, (m) => [...linalg.qr(m)] as Tensor[], [x]])
    cases.push([`lu of ${sizes}`, (m) => [linalg.lu(m).L, linalg.lu(m).U], [x]])
    cases.push([`pinv of ${sizes}`, (m) => linalg.pinv(m), [x]])
    cases.push([`svdvals of ${sizes}`, (m) => linalg.svdvals(m), [x]])
  }
  for (const [name, f, inputs] of cases)
    test(name, () => {
      expect(gradcheck(f, inputs)).toBe(true)
    })

  test('second derivatives of inv and svd', () => {
    expect(gradgradcheck((x) => linalg.inv(positive(x)), [random(3, 3)])).toBe(true)
    expect(
      gradgradcheck(
        (x) => linalg.svdvals(x),
        [
          matrix([
            [3, 1],
            [0.5, 1.5],
          ]).requiresGrad_(),
        ],
      ),
    ).toBe(true)
  })
})

describe('norms and products', () => {
  test('matrix norms by their orders', () => {
    const a = matrix([
      [1, -2],
      [3, 4],
    ])
    expect(linalg.matrixNorm(a, 1).item()).toBe(6)
    expect(linalg.matrixNorm(a, Number.POSITIVE_INFINITY).item()).toBe(7)
    expect(linalg.matrixNorm(a).item()).toBeCloseTo(Math.sqrt(30), 12)
    expect(Number(linalg.norm(a, 'nuc').item())).toBeCloseTo(Number(linalg.svdvals(a).sum().item()), 12)
    expect(a.norm('nuc').item()).toBeCloseTo(Number(linalg.svdvals(a).sum().item()), 12)
    expect(() => linalg.matrixNorm(a, 3)).toThrow('Order 3 not supported')
  })

  test('powers, chains, cross products', () => {
    const a = matrix([
      [1, 1],
      [0, 1],
    ])
    expect(linalg.matrixPower(a, 5).tolist()).toEqual([
      [1, 5],
      [0, 1],
    ])
    expect(linalg.matrixPower(a, -2).tolist()).toEqual([
      [1, -2],
      [0, 1],
    ])
    expect(
      distance(
        linalg.matrixExp(
          matrix([
            [0, 1],
            [0, 0],
          ]),
        ),
        a,
      ),
    ).toBeLessThan(1e-15)
    expect(linalg.multiDot([a, a, a, torch.ones(2, { dtype: torch.float64 })]).tolist()).toEqual([4, 1])
    expect(torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0])).tolist()).toEqual([0, 0, 1])
  })
})

describe('einsum', () => {
  const a = random(2, 3).detach()
  const b = random(3, 4).detach()

  test('products, traces, diagonals, outer products, ellipses', () => {
    expect(distance(torch.einsum('ij,jk', a, b), a.matmul(b))).toBeLessThan(1e-12)
    expect(distance(torch.einsum('ij,jk->ki', a, b), a.matmul(b).T)).toBeLessThan(1e-12)
    const square = random(2, 3, 3).detach()
    expect(distance(torch.einsum('...ii->...', square), square.diagonal(0, -2, -1).sum(-1))).toBeLessThan(
      1e-12,
    )
    expect(torch.einsum('ij,kl->ijkl', a, b).shape).toEqual(torch.Size.from([2, 3, 3, 4]))
    expect(
      distance(
        torch.einsum('bij,kj,bk->ik', square, square.at(0), square.at(':', 0)),
        torch.einsum('bij,kj->bik', square, square.at(0)).mul(square.at(':', 0).unsqueeze(1)).sum(0),
      ),
    ).toBeLessThan(1e-12)
  })

  test('derivatives agree with finite differences', () => {
    expect(gradgradcheck((x, y) => torch.einsum('bij,kj->kbi', x, y), [random(2, 2, 3), random(2, 3)])).toBe(
      true,
    )
  })

  test('an equation that does not fit is an error', () => {
    expect(() => torch.einsum('ij,jk->iz', a, b)).toThrow('output subscript z does not appear')
    expect(() => torch.einsum('ij,jk->ik', a, a)).toThrow('does not broadcast with previously seen size 3')
    expect(() => torch.einsum('i', a)).toThrow('does not match the number of dimensions (2)')
  })
})
