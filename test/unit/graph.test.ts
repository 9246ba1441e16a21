// torch.graph.capture: replays give the values of ordinary calls, bit by bit, and say so where they cannot.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { graph, nn, optim } = torch
type Tensor = torch.Tensor

const values = (tensors: Iterable<Tensor>) => Array.from(tensors, (x) => x.tolist())

/** Runs the same training twice, as written and captured, and returns what both saw. */
function both<T>(
  train: (wrap: <A extends readonly unknown[], R>(f: (...args: A) => R) => (...args: A) => R) => T,
) {
  let replays = () => 0
  torch.manualSeed(7)
  const eager = train((f) => f)
  torch.manualSeed(7)
  const captured = train((f) => {
    const call = graph.capture(f)
    replays = () => call.replays
    return call
  })
  return { eager, captured, replays: replays() }
}

function lesson() {
  const model = new nn.Sequential(
    new nn.Linear(1, 5),
    new nn.ReLU(),
    new nn.Linear(5, 5),
    new nn.ReLU(),
    new nn.Linear(5, 1),
  )
  const lossFn = new nn.MSELoss()
  return { model, loss: (x: Tensor, y: Tensor) => lossFn(model(x), y) }
}

describe('a captured training step', () => {
  test('gives the losses, parameters and gradients of the eager one, with SGD', () => {
    const { eager, captured, replays } = both((wrap) => {
      const { model, loss } = lesson()
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 })
      const step = wrap((x: Tensor, y: Tensor) => {
        optimizer.zeroGrad()
        const l = loss(x, y)
        l.backward()
        optimizer.step()
        return l
      })
      const losses: unknown[] = []
      for (let i = 0; i < 20; i++) {
        const x = torch.rand(100, 1)
        losses.push(step(x, x.mul(2)).item())
        if (i === 9) optimizer.paramGroups[0].lr = 0.01
        if (i === 14) optimizer.paramGroups[0].lr = 0.05
      }
      const grads = Array.from(model.parameters(), (p) => p.grad!)
      return {
        losses,
        parameters: values(model.parameters()),
        grads: values(grads),
        steps: optimizer.stepsTaken,
      }
    })
    expect(captured).toEqual(eager)
    expect(replays).toBe(17)
  })

  test('draws new dropout masks, keeps running statistics, follows Adam and its scheduler', () => {
    const { eager, captured, replays } = both((wrap) => {
      const model = new nn.Sequential(
        new nn.Linear(6, 16),
        new nn.BatchNorm1d(16),
        new nn.ReLU(),
        new nn.Dropout(0.3),
        new nn.Linear(16, 4),
      )
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
      const scheduler = new optim.lrScheduler.StepLR(optimizer, 5)
      const lossFn = new nn.CrossEntropyLoss()
      const step = wrap((x: Tensor, y: Tensor) => {
        optimizer.zeroGrad()
        const l = lossFn(model(x), y)
        l.backward()
        optimizer.step()
        return l
      })
      const losses: unknown[] = []
      for (let i = 0; i < 20; i++) {
        losses.push(step(torch.randn(12, 6), torch.randint(0, 4, [12])).item())
        scheduler.step()
      }
      return { losses, state: values(model.stateDict().values() as Iterable<Tensor>) }
    })
    expect(captured).toEqual(eager)
    expect(replays).toBe(17)
  })

  test('gives results that the next replay does not change, unless asked for static ones', () => {
    const twice = graph.capture((x: Tensor) => x.mul(2))
    const results = [1, 2, 3, 4, 5].map((n) => twice(torch.tensor([n])))
    expect(results.map((r) => r.item())).toEqual([2, 4, 6, 8, 10])
    const fixed = graph.capture((x: Tensor) => x.mul(2), { staticResults: true })
    const seen = [1, 2, 3, 4, 5].map((n) => fixed(torch.tensor([n])))
    expect(seen[4]).toBe(seen[3])
  })

  test('adds to gradients that are there', () => {
    const { eager, captured, replays } = both((wrap) => {
      const { model, loss } = lesson()
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 })
      const accumulate = wrap((x: Tensor) => {
        const l = loss(x, x)
        l.backward()
        return l
      })
      const losses: unknown[] = []
      for (let i = 0; i < 24; i++) {
        losses.push(accumulate(torch.rand(8, 1)).item())
        if (i % 4 !== 3) continue
        optimizer.step()
        optimizer.zeroGrad()
      }
      return { losses, parameters: values(model.parameters()) }
    })
    expect(captured).toEqual(eager)
    expect(replays).toBeGreaterThan(5)
  })

  test('steps a scheduler that is part of it', () => {
    const { eager, captured, replays } = both((wrap) => {
      const { model, loss } = lesson()
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 })
      const scheduler = new optim.lrScheduler.CosineAnnealingWarmRestarts(optimizer, 4)
      const step = wrap((x: Tensor) => {
        optimizer.zeroGrad()
        const l = loss(x, x)
        l.backward()
        optimizer.step()
        scheduler.step()
        return l
      })
      const losses = Array.from({ length: 10 }, () => step(torch.rand(8, 1)).item())
      return { losses, epoch: scheduler.lastEpoch, rates: scheduler.getLastLr() }
    })
    expect(captured).toEqual(eager)
    expect(replays).toBe(7)
  })

  test('runs optimizers that read values as they are', () => {
    const { eager, captured } = both((wrap) => {
      const { model, loss } = lesson()
      const optimizer = new optim.Adafactor(model.parameters(), { lr: 0.05 })
      const step = wrap((x: Tensor) => {
        optimizer.zeroGrad()
        const l = loss(x, x)
        l.backward()
        optimizer.step()
        return l
      })
      return Array.from({ length: 8 }, () => step(torch.rand(8, 1)).item())
    })
    expect(captured).toEqual(eager)
  })
})

describe('a captured function', () => {
  test('notices evaluation mode', () => {
    const model = new nn.Dropout(0.5)
    const call = graph.capture((x: Tensor) => model(x))
    const x = torch.ones(64)
    for (let i = 0; i < 5; i++) call(x)
    model.eval()
    expect(call(x).tolist()).toEqual(x.tolist())
  })

  test('works without gradients, on views, with results of any structure', () => {
    const call = graph.capture((x: Tensor, options: { y: Tensor }) =>
      torch.noGrad(() => {
        const shifted = x.t().add(options.y)
        return { sum: shifted.sum(0), parts: [shifted.narrow(0, 1, 2), shifted.t()] as const }
      }),
    )
    for (let i = 0; i < 6; i++) {
      const x = torch.rand(4, 3)
      const y = torch.rand(6, 4).narrow(0, 1, 3)
      const { sum, parts } = call(x.t().contiguous().t(), { y })
      const expected = x.t().add(y)
      expect(sum.tolist()).toEqual(expected.sum(0).tolist())
      expect(parts[0].tolist()).toEqual(expected.narrow(0, 1, 2).tolist())
      expect(parts[1].tolist()).toEqual(expected.t().tolist())
    }
    expect(call.replays).toBe(3)
  })

  test('keeps to itself beside another one on the same parameters', () => {
    const model = new nn.Linear(3, 2)
    const one = graph.capture((x: Tensor) => torch.noGrad(() => model(x).exp()))
    const other = graph.capture((x: Tensor) => torch.noGrad(() => model(x).neg()))
    for (let i = 0; i < 6; i++) {
      const x = torch.rand(5, 3)
      const y = torch.noGrad(() => model(x))
      expect([one(x).tolist(), other(x).tolist()]).toEqual([y.exp().tolist(), y.neg().tolist()])
      torch.noGrad(() => model.weight.mul_(0.5))
    }
  })

  test('restores constants that it changes in place', () => {
    const call = graph.capture((x: Tensor) =>
      torch
        .tensor([1, 2])
        .add_(x)
        .add(torch.tensor([10, 20])),
    )
    for (let i = 0; i < 6; i++) expect(call(torch.tensor([i, i])).tolist()).toEqual([11 + i, 22 + i])
  })

  test('finds its memory again after the arena moved it', async () => {
    const { cpuBackend } = await import('../../src/backends/cpu/cpu.ts')
    const weight = torch.rand(5000)
    const call = graph.capture((x: Tensor) => x.mul(weight).add(1).sum())
    for (let i = 0; i < 6; i++) {
      const x = torch.rand(5000)
      const expected = x.mul(weight).add(1).sum().item()
      if (i > 3) cpuBackend.arena.startOver()
      expect(call(x).item()).toBe(expected)
    }
  })

  test('fuses chains of pointwise kernels without changing a bit', () => {
    const body = (x: Tensor, bias: Tensor) => {
      const y = x.add(bias).relu().mul(x).sigmoid()
      // A view of what is computed, memory that changes in place, a mask, and a value that is used twice.
      const z = y.t().add(1).exp()
      const w = y.clone()
      w.mul_(3).add_(y).sub_(x)
      return { z, w, chosen: torch.where(w.gt(0), w.neg(), y.mul(w).tanh()), sum: w.mul(y).sum(0), y }
    }
    const call = graph.capture((x: Tensor, bias: Tensor) => torch.noGrad(() => body(x, bias)))
    for (const scale of [1, 5, 0.1, 30, 2, 1]) {
      const [x, bias] = [torch.randn(7, 9).mul(scale), torch.randn(9)]
      const [expected, found] = [body(x, bias), call(x, bias)]
      for (const key of ['z', 'w', 'chosen', 'sum', 'y'] as const)
        expect(found[key].tolist(), key).toEqual(expected[key].tolist())
    }
    expect(call.replays).toBe(3)
  })

  test('raises the versions of what it changes', () => {
    const counter = torch.zeros(2)
    const call = graph.capture((x: Tensor) => counter.add_(x).clone())
    for (let i = 0; i < 5; i++) call(torch.ones(2))
    expect([counter.tolist(), counter.version]).toEqual([[5, 5], 5])
  })
})

describe('errors of a captured function', () => {
  test('name a shape or dtype that changed, and leave it usable', () => {
    const call = graph.capture((x: Tensor) => x.mul(2))
    for (let i = 0; i < 4; i++) call(torch.rand(2, 3))
    expect(() => call(torch.rand(3, 3))).toThrow(
      /argument 0 was a torch.float32 tensor of shape \[2, 3\] on cpu at capture and is a torch.float32 tensor of shape \[3, 3\]/,
    )
    expect(() => call(torch.ones([2, 3], { dtype: torch.int64 }))).toThrow(/is a torch.int64 tensor/)
    expect(call(torch.ones(2, 3)).sum().item()).toBe(12)
  })

  test('forbid reading values', () => {
    const call = graph.capture((x: Tensor) => (x.sum().item() === 0 ? x : x.mul(2)))
    call(torch.ones(2))
    expect(() => call(torch.ones(2))).toThrow(/reads a tensor's values in JavaScript/)
    // Nothing is being captured any more.
    expect(torch.ones(2).sum().item()).toBe(2)
  })

  test('name a number that changes from call to call', () => {
    let n = 0
    const call = graph.capture((x: Tensor) => x.mul(++n))
    const run = () => {
      for (let i = 0; i < 8; i++) call(torch.ones(2))
    }
    expect(run).toThrow(/kernel 'mul' of shape .* got the number/)
  })

  test('name a tensor that is replaced instead of changed', () => {
    let hidden = torch.zeros(2)
    const call = graph.capture((x: Tensor) => {
      hidden = hidden.add(x)
      return hidden
    })
    const run = () => {
      for (let i = 0; i < 8; i++) call(torch.ones(2))
    }
    expect(run).toThrow(/must be changed in place/)
  })

  test('explain a tensor that was not returned', () => {
    let inner: Tensor | null = null
    const call = graph.capture((x: Tensor) => {
      inner = x.mul(2)
      return inner.add(1)
    })
    for (let i = 0; i < 4; i++) call(torch.ones(2))
    expect(() => inner!.tolist()).toThrow(/computed inside a captured graph/)
  })

  test('that the function throws leave it as it was', () => {
    let fail = false
    const call = graph.capture((x: Tensor) => {
      const y = x.mul(2)
      if (fail) throw new Error('mine')
      return y.add(1)
    })
    call(torch.ones(2))
    fail = true
    expect(() => call(torch.ones(2))).toThrow('mine')
    fail = false
    for (let i = 0; i < 4; i++) expect(call(torch.ones(2).mul(i)).tolist()).toEqual([2 * i + 1, 2 * i + 1])
  })

  test('from checks of indices come at replays, too', () => {
    const table = torch.rand(4, 2)
    const call = graph.capture((index: Tensor) => table.indexSelect(0, index))
    for (let i = 0; i < 4; i++) call(torch.tensor([i]))
    expect(() => call(torch.tensor([4]))).toThrow(/out of range/)
    expect(call(torch.tensor([3])).tolist()).toEqual(table.narrow(0, 3, 1).tolist())
  })
})
