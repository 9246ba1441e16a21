// Behaviours of optimizers, losses and tensors that ports usually get wrong, numbered 53 to 58.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch

describe('optimizers, losses, tensors', () => {
  test('53. optimizer state is numbered; the step is a float32 that loading does not cast, moments are cast', () => {
    const p = new nn.Parameter(torch.ones(1))
    const optimizer = new torch.optim.Adam([p])
    p.sum().backward()
    optimizer.step()
    const state = optimizer.stateDict()
    const entries = state.get('state') as Map<number, Map<string, torch.Tensor>>
    expect([...entries.keys()]).toEqual([0])
    expect(entries.get(0)!.get('step')!.dtype).toBe(torch.float32)
    const half = new nn.Parameter(torch.ones(1).to(torch.float64))
    const other = new torch.optim.Adam([half])
    other.loadStateDict(state)
    const loaded = other.state.get(half)!
    expect(loaded.step.dtype).toBe(torch.float32)
    expect(loaded.exp_avg.dtype).toBe(torch.float64)
  })

  test("54. SGD's first momentum buffer is the gradient itself, without dampening", () => {
    const p = new nn.Parameter(torch.zeros(1))
    const optimizer = new torch.optim.SGD([p], { lr: 1, momentum: 0.9, dampening: 0.5 })
    for (let i = 0; i < 2; i++) {
      optimizer.zeroGrad()
      p.mul(2).sum().backward()
      optimizer.step()
      // First the whole gradient 2, then 0.9 * 2 + 0.5 * 2.
      expect(p.item()).toBeCloseTo(i === 0 ? -2 : -4.8, 5)
    }
  })

  test('55. batch norm keeps the unbiased variance, averages all batches without momentum, and needs two values', () => {
    const norm = new nn.BatchNorm1d(1, { momentum: null })
    norm(torch.tensor([[0], [2]], { dtype: torch.float32 }))
    expect(norm.running_var?.item()).toBe(2)
    norm(torch.tensor([[0], [4]], { dtype: torch.float32 }))
    expect(norm.running_var?.item()).toBe(5)
    expect(norm.running_mean?.item()).toBe(1.5)
    expect(() => norm(torch.ones(1, 1))).toThrow(
      expect.objectContaining({
        name: 'ValueError',
        message: 'Expected more than 1 value per channel when training, got input size torch.Size([1, 1])',
      }),
    )
  })

  test('56. max() shares the gradient among equals, max(dim) gives it to one; ignoring all targets gives NaN', () => {
    const x = torch.tensor([1, 3, 3], { dtype: torch.float32 }).requiresGrad_()
    x.max().backward()
    expect(x.grad?.tolist()).toEqual([0, 0.5, 0.5])
    x.grad = null
    x.max(0)[0].backward()
    expect(x.grad!.tolist()).toEqual([0, 1, 0])
    const loss = nn.functional.crossEntropy(torch.zeros(2, 3), torch.tensor([-100, -100]))
    expect(loss.item()).toBeNaN()
  })

  test('57. whole numbers make int64, others float32; integers have no mean and divide like Python', () => {
    expect(torch.tensor([1, 2]).dtype).toBe(torch.int64)
    expect(torch.tensor([1, 2.5]).dtype).toBe(torch.float32)
    expect(() => torch.tensor([1, 2]).mean()).toThrow(/mean\(\): could not infer output dtype/)
    expect(torch.tensor([-7]).floorDivide(2).item()).toBe(-4)
    expect(torch.tensor([-7]).remainder(3).item()).toBe(2)
  })

  test('58. a second backward, one of many elements, and a change of a leaf have their messages', () => {
    const x = torch.ones(2).requiresGrad_()
    const y = x.mul(x).sum()
    y.backward()
    expect(() => y.backward()).toThrow(
      'Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed).',
    )
    expect(() => x.mul(2).backward()).toThrow('grad can be implicitly created only for scalar outputs')
    expect(() => x.add_(1)).toThrow(
      'a leaf Variable that requires grad is being used in an in-place operation.',
    )
  })
})
