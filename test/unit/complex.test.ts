// Complex tensors: dtypes, values, views that share memory, conjugates, gradients. The arithmetic is checked case by case against
// PyTorch in the conformance part ops-complex.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const c = (re: number, im = 0) => new torch.Complex(re, im)
const texts = (x: torch.Tensor) => (x.tolist() as unknown[]).map(String)

describe('complex numbers', () => {
  test('print as in Python', () => {
    expect([c(1, 2), c(0, 2), c(-0, 1), c(1, -0), c(1e20, 1e-7)].map(String)).toEqual([
      '(1+2j)',
      '2j',
      '(-0+1j)',
      '(1-0j)',
      '(1e+20+1e-07j)',
    ])
  })

  test('make complex64 tensors, whose elements they are', () => {
    const x = torch.tensor([c(1, 2), 3])
    expect(x.dtype).toBe(torch.complex64)
    expect(texts(x)).toEqual(['(1+2j)', '(3+0j)'])
    expect(String(x)).toBe('tensor([1.+2.j, 3.+0.j])')
    expect(String(x.at(0).item())).toBe('(1+2j)')
    expect([...x.data()]).toEqual([1, 2, 3, 0])
  })

  test('make real tensors complex, of no higher precision', () => {
    const one = torch.tensor([1], { dtype: torch.float64 })
    expect(torch.tensor([1.5]).mul(c(0, 1)).dtype).toBe(torch.complex64)
    expect(one.add(c(0, 1)).dtype).toBe(torch.complex128)
    expect(torch.promoteTypes(torch.complex64, torch.float64)).toBe(torch.complex128)
  })

  test('are refused where PyTorch has no order or rounding for them', () => {
    const x = torch.tensor([c(1, 2)])
    expect(() => x.gt(0)).toThrow(torch.RuntimeError)
    expect(() => x.floor()).toThrow(torch.RuntimeError)
    expect(() => torch.tensor([1]).fill_(c(1, 2))).toThrow('without overflow')
  })
})

describe('views of complex memory', () => {
  test('real and imaginary parts write to it', () => {
    const x = torch.tensor([c(1, 2), c(3, -1)])
    x.real.fill_(5)
    x.imag.mul_(2)
    expect(texts(x)).toEqual(['(5+4j)', '(5-2j)'])
  })

  test('a conjugate shares it, and is written out on demand', () => {
    const x = torch.tensor([c(1, 2)])
    const y = x.conj()
    expect([y.isConj(), x.isConj(), y.resolveConj().isConj()]).toEqual([true, false, false])
    y.add_(c(0, 1))
    expect(texts(x)).toEqual(['(1+1j)'])
    expect(texts(y.resolveConj())).toEqual(['(1-1j)'])
    expect(texts(y.exp())).toEqual(texts(x.exp().conj()))
  })

  test('viewAsReal and viewAsComplex are inverse to each other', () => {
    const x = torch.tensor([[1, 2.5]])
    expect(texts(torch.viewAsComplex(x))).toEqual(['(1+2.5j)'])
    expect(torch.viewAsReal(torch.viewAsComplex(x)).tolist()).toEqual([[1, 2.5]])
    expect(() => torch.viewAsReal(x)).toThrow('only supported for complex tensors')
  })

  test('a change in place through a part reaches the gradient of the whole', () => {
    const x = torch.tensor([c(1, 2)], { requiresGrad: true })
    const y = x.clone()
    y.real.mul_(3)
    torch.viewAsReal(y).sum().backward()
    expect(texts(x.grad!)).toEqual(['(3+1j)'])
  })
})

describe('gradients of complex numbers', () => {
  test('are the conjugate ones', () => {
    const x = torch.tensor([c(1, 2)], { requiresGrad: true })
    x.mul(x).abs().sum().backward()
    // d|z^2| = d|z|^2
    expect(texts(x.grad!)).toEqual(['(2+4j)'])
  })

  test('of real operands are real', () => {
    const x = torch.tensor([2.5], { requiresGrad: true })
    x.mul(c(0, 2)).imag.sum().backward()
    expect(x.grad!.tolist()).toEqual([2])
  })

  test('exist twice', () => {
    const x = torch.tensor([c(0.5, 0.25)], { dtype: torch.complex128, requiresGrad: true })
    const [g] = torch.autograd.grad([torch.viewAsReal(x.exp()).sum()], [x], { createGraph: true })
    const [h] = torch.autograd.grad([torch.viewAsReal(g!).sum()], [x])
    const step = 1e-6
    const gradAt = (z: torch.Complex) => {
      const y = torch.tensor([z], { dtype: torch.complex128, requiresGrad: true })
      const [first] = torch.autograd.grad([torch.viewAsReal(y.exp()).sum()], [y])
      return Number(torch.viewAsReal(first!).sum().item())
    }
    const value = h!.at(0).item() as torch.Complex
    expect(value.re).toBeCloseTo((gradAt(c(0.5 + step, 0.25)) - gradAt(c(0.5 - step, 0.25))) / (2 * step), 5)
    expect(value.im).toBeCloseTo((gradAt(c(0.5, 0.25 + step)) - gradAt(c(0.5, 0.25 - step))) / (2 * step), 5)
  })
})
