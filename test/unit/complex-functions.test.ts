// Functions of complex numbers beyond arithmetic: transforms, running products, statistics, convolutions, and their gradients.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { complex128 } = torch
const random = (...sizes: number[]) => {
  torch.manualSeed(sizes.reduce((a, b) => 31 * a + b, 7))
  const part = () => torch.randn(sizes, { dtype: torch.float64 })
  return torch.complex(part(), part())
}
const close = (a: torch.Tensor, b: torch.Tensor, tolerance = 1e-10) =>
  expect(a.sub(b).abs().max().item()).toBeLessThan(tolerance)

describe('Fourier transforms', () => {
  test.each([1, 2, 7, 12, 30, 64])('of %i numbers are sums of waves, and come back', (n) => {
    const x = random(n)
    const waves = torch.arange(n, { dtype: torch.float64 }).outer(torch.arange(n, { dtype: torch.float64 }))
    const matrix = torch.polar(torch.ones([n, n], { dtype: torch.float64 }), waves.mul((-2 * Math.PI) / n))
    close(torch.fft.fft(x), matrix.mv(x))
    close(torch.fft.ifft(torch.fft.fft(x)), x)
  })

  test('of real numbers have half of the spectrum, from which they come back', () => {
    for (const n of [9, 10]) {
      const x = random(3, n).real.contiguous()
      const half = torch.fft.rfft(x)
      expect(half.sizes).toEqual([3, Math.floor(n / 2) + 1])
      close(half, torch.fft.fft(x).narrow(-1, 0, half.sizes[1]))
      close(torch.fft.irfft(half, n), x)
      close(torch.fft.hfft(torch.fft.ihfft(x), n), x)
    }
  })

  test('of several dimensions are those of one after the other, scaled as asked', () => {
    const x = random(3, 4, 5)
    close(torch.fft.fftn(x), torch.fft.fft(torch.fft.fft(torch.fft.fft(x, { dim: 0 }), { dim: 1 })))
    close(torch.fft.fft2(x, { norm: 'ortho' }), torch.fft.fft2(x).div(Math.sqrt(20)))
    close(torch.fft.ifftn(x, { norm: 'forward' }), torch.fft.ifftn(x).mul(60))
    expect(torch.fft.fft(x, { n: 8 }).sizes).toEqual([3, 4, 8])
  })

  test('refuse complex numbers where real ones are meant', () => {
    expect(() => torch.fft.rfft(random(4))).toThrow('rfft expects a real input tensor, but got ComplexDouble')
    expect(() => torch.fft.fft(random(4), { n: 0 })).toThrow('Invalid number of data points (0) specified')
  })
})

test('short-time transforms come back as the signal', () => {
  const x = random(2, 40).real.contiguous()
  const window = torch.hannWindow(16, { dtype: torch.float64 })
  const spectrum = torch.stft(x, 16, { hopLength: 4, window, returnComplex: true })
  expect(spectrum.sizes).toEqual([2, 9, 11])
  close(torch.istft(spectrum, 16, { hopLength: 4, window, length: 40 }), x)
  expect(() => torch.stft(x, 16, { window })).toThrow(
    'stft requires the return_complex parameter be given for real inputs',
  )
})

describe('gradients agree with finite differences', () => {
  const functions: Record<string, (x: torch.Tensor) => torch.Tensor> = {
    fft: (x) => torch.fft.fft(x, { n: 7 }),
    irfft: (x) => torch.fft.irfft(x),
    'fft of two dimensions': (x) => torch.fft.fft2(x, { norm: 'ortho' }),
    prod: (x) => x.prod(1),
    cumprod: (x) => x.cumprod(1),
    cumsum: (x) => x.cumsum(0),
    mean: (x) => x.mean(),
    variance: (x) => torch.var(x, 1),
    norm: (x) => torch.linalg.vectorNorm(x, 3),
    logsumexp: (x) => x.logsumexp(1),
    covariance: (x) => torch.cov(x),
    lerp: (x) => torch.lerp(x, x.mul(x), 0.3),
    addcdiv: (x) => torch.addcdiv(x, x, x.add(3), { value: 2 }),
    convolution: (x) =>
      torch.nn.functional.conv1d(x.reshape(1, 3, 5), random(2, 3, 2), random(2), { padding: 1 }),
    'transposed convolution': (x) => torch.nn.functional.convTranspose1d(x.reshape(1, 3, 5), random(3, 2, 2)),
  }
  test.each(Object.keys(functions))('%s', (name) => {
    expect(torch.autograd.gradcheck(functions[name], [random(3, 5).requiresGrad_()])).toBe(true)
  })
})

test('running products with zeros have the gradients of their definition', () => {
  const x = torch.tensor([2, 0, 3], { dtype: complex128 }).requiresGrad_()
  x.cumprod(0).sum().real.backward()
  // d/dx of x1 + x1 x2 + x1 x2 x3.
  close(x.grad!, torch.tensor([1, 8, 0], { dtype: complex128 }))
})

test('ranges go straight from one number to the other', () => {
  const from = torch.complex(torch.tensor(0.5).mul(0), torch.tensor(0.5).mul(4))
  const range = torch.linspace(from, 4, 3, { dtype: complex128 })
  expect(range.real.tolist()).toEqual([0, 2, 4])
  expect(range.imag.tolist()).toEqual([2, 1, 0])
})

describe('matrices', () => {
  const a = random(2, 4, 4)
  const b = random(2, 4, 3)
  const adjoint = (x: torch.Tensor) => x.transpose(-1, -2).conj()

  test('systems and inverses', () => {
    close(torch.linalg.solve(a, b), torch.linalg.inv(a).matmul(b), 1e-9)
    close(a.matmul(torch.linalg.solve(a, b)), b)
    const left = random(2, 3, 4)
    close(torch.linalg.solve(a, left, { left: false }).matmul(a), left)
    close(a.tril().matmul(torch.linalg.solveTriangular(a, b, { upper: false })), b)
    close(a.at(0).mv(torch.linalg.solve(a.at(0), b.at(0, ':', 0))), b.at(0, ':', 0))
  })

  test('singular values, norms, rank, pseudo-inverse', () => {
    const tall = random(5, 3)
    const values = torch.linalg.svdvals(tall)
    expect(values.sizes).toEqual([3])
    close(values.pow(2).sum(), tall.abs().pow(2).sum())
    close(torch.linalg.matrixNorm(tall, 2), values.at(0))
    expect(torch.linalg.matrixRank(torch.outer(random(4), random(3))).item()).toBe(1)
    close(torch.linalg.pinv(tall).matmul(tall), torch.eye(3, { dtype: complex128 }))
    close(torch.linalg.pinv(tall), torch.linalg.inv(adjoint(tall).matmul(tall)).matmul(adjoint(tall)), 1e-9)
  })

  test('Cholesky factors', () => {
    const positive = a.matmul(adjoint(a)).add(torch.eye(4, { dtype: complex128 }))
    const lower = torch.linalg.cholesky(positive)
    close(lower, lower.tril())
    expect(lower.diagonal(0, -2, -1).imag.abs().max().item()).toBeLessThan(1e-12)
    close(lower.matmul(adjoint(lower)), positive)
    close(torch.linalg.cholesky(positive, { upper: true }), adjoint(lower))
    close(positive.matmul(torch.choleskySolve(b, lower)), b, 1e-9)
    close(torch.choleskyInverse(lower), torch.linalg.inv(positive), 1e-9)
    expect(() => torch.linalg.cholesky(positive.at(0).neg())).toThrow(/leading minor of order 1/)
  })

  test('exponentials undo each other', () => {
    close(torch.matrixExp(a).matmul(torch.matrixExp(a.neg())), torch.eye(4, { dtype: complex128 }), 1e-8)
  })

  test.each([
    ['inv', (x: torch.Tensor) => torch.linalg.inv(x)],
    ['solve', (x: torch.Tensor) => torch.linalg.solve(x, b.at(0))],
    ['svdvals', (x: torch.Tensor) => torch.linalg.svdvals(x)],
    ['pinv', (x: torch.Tensor) => torch.linalg.pinv(x)],
  ] as const)('the gradient of %s agrees with finite differences', (_, f) => {
    const x = a.at(0).detach().clone().requiresGrad_()
    expect(torch.autograd.gradcheck(f, [x])).toBe(true)
  })
})
