// Calling modules: hooks before and after forward and backward, their order, what they may replace.

import { describe, expect, it, vi } from 'vitest'
import * as torch from '../../src/index.ts'
import { registerModuleForwardHook, registerModuleForwardPreHook } from '../../src/nn/hooks.ts'

const { nn } = torch

class Double extends nn.Module {
  override forward(x: torch.Tensor, options: { offset?: number } = {}) {
    return x.mul(2).add(options.offset ?? 0)
  }
}

class Fails extends nn.Module {
  override forward(x: torch.Tensor): torch.Tensor {
    throw new Error(`forward failed at ${x.numel()}`)
  }
}

describe('a call', () => {
  it('runs forward with its own arguments and result', () => {
    const double = new Double()
    expect(double(torch.tensor([1.5])).item()).toBe(3)
    expect(double(torch.tensor([1.5]), { offset: 1 }).item()).toBe(4)
    expect(typeof double).toBe('function')
    expect(double).toBeInstanceOf(Double)
  })

  it('of a class without forward says so', () => {
    class Nothing extends nn.Module {}
    expect(() => new Nothing()()).toThrow('Module [Nothing] is missing the required "forward" function')
    expect(() => new nn.ModuleList()()).toThrow(
      'Module [ModuleList] is missing the required "forward" function',
    )
  })

  it('works for classes with private fields and fields called name or length', () => {
    class Odd extends nn.Module {
      #factor = 3
      override name = 'odd'
      override length = 7
      override forward(x: number) {
        return x * this.#factor
      }
    }
    const odd = new Odd()
    expect(odd(2)).toBe(6)
    expect([odd.name, odd.length]).toEqual(['odd', 7])
  })
})

describe('forward hooks', () => {
  it('run global first, then own, before and after forward', () => {
    const order: string[] = []
    const note = (name: string) => () => {
      order.push(name)
    }
    const net = new Double()
    const handles = [
      net.registerForwardPreHook(note('pre 1')),
      net.registerForwardHook(note('post 1')),
      net.registerForwardHook(note('post 0'), { prepend: true }),
      net.registerForwardPreHook(note('pre 0'), { prepend: true }),
      registerModuleForwardPreHook(note('global pre')),
      registerModuleForwardHook(note('global post')),
    ]
    net(torch.ones(1))
    expect(order).toEqual(['global pre', 'pre 0', 'pre 1', 'global post', 'post 0', 'post 1'])
    for (const handle of handles) handle.remove()
    for (const handle of handles) handle.remove()
    net(torch.ones(1))
    expect(order).toHaveLength(6)
  })

  it('replace arguments and results', () => {
    const net = new Double()
    const pre = net.registerForwardPreHook((_, [x]) => (x as torch.Tensor).add(1))
    expect(net(torch.zeros(1)).item()).toBe(2)
    pre.remove()
    net.registerForwardPreHook((_, args) => [(args[0] as torch.Tensor).add(10)])
    net.registerForwardHook((_, args, output) => (output as torch.Tensor).add(args[0] as torch.Tensor))
    expect(net(torch.zeros(1)).item()).toBe(30)
  })

  it('with kwargs see and replace the trailing options', () => {
    const net = new Double()
    const seen: unknown[] = []
    net.registerForwardPreHook((_, args, kwargs) => [args, { offset: Number(kwargs.offset ?? 0) + 1 }], {
      withKwargs: true,
    })
    net.registerForwardHook(
      (_, args, kwargs, output) => {
        seen.push(args.length, kwargs, (output as torch.Tensor).item())
      },
      { withKwargs: true },
    )
    expect(net(torch.zeros(1), { offset: 4 }).item()).toBe(5)
    expect(net(torch.zeros(1)).item()).toBe(1)
    expect(seen).toEqual([1, { offset: 5 }, 5, 1, { offset: 1 }, 1])
  })

  it('with kwargs must return both', () => {
    const net = new Double()
    net.registerForwardPreHook((() => [1]) as never, { withKwargs: true })
    expect(() => net(torch.zeros(1))).toThrow(
      'forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got [1].',
    )
  })

  it('with alwaysCall run when forward throws, once, and their own errors are silenced', () => {
    const net = new Fails()
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    let calls = 0
    net.registerForwardHook(() => {
      calls += 100
    })
    net.registerForwardHook(
      (_, __, output) => {
        calls++
        expect(output).toBeNull()
        throw new Error('mine')
      },
      { alwaysCall: true },
    )
    expect(() => net(torch.zeros(3))).toThrow('forward failed at 3')
    expect(calls).toBe(1)
    expect(String(warn.mock.calls[0][0])).toContain('mine')
    warn.mockRestore()
  })

  it('do not run for forward itself', () => {
    const net = new Double()
    net.registerForwardHook(() => torch.zeros(1))
    expect(net.forward(torch.ones(1)).item()).toBe(2)
    expect(net(torch.ones(1)).item()).toBe(0)
  })
})

describe('backward hooks', () => {
  it('get the gradients, the pre-hook first, and may replace them', () => {
    const order: string[] = []
    const net = new Double()
    net.registerFullBackwardHook((module, gradInput, gradOutput) => {
      order.push(`hook ${module === net} ${gradInput[0]?.item()} ${gradOutput[0]?.item()}`)
      return [gradInput[0]?.mul(10) ?? null]
    })
    net.registerFullBackwardPreHook((_, gradOutput) => {
      order.push(`pre ${gradOutput[0]?.item()}`)
      return [gradOutput[0]?.mul(3) ?? null]
    })
    const x = torch.ones(1).requiresGrad_()
    const y = net(x)
    expect(y.gradFn?.name()).toBe('BackwardHookFunctionBackward')
    y.sum().backward()
    expect(order).toEqual(['pre 1', 'hook true 6 3'])
    expect(x.grad?.item()).toBe(60)
  })

  it('run also where no input requires gradients', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const linear = new nn.Linear(1, 1)
    const seen: unknown[] = []
    linear.registerFullBackwardHook((_, gradInput, gradOutput) => {
      seen.push(gradInput, gradOutput.length)
    })
    linear(torch.ones(1, 1)).sum().backward()
    expect(seen).toEqual([[null], 1])
    expect(warn.mock.calls).toHaveLength(1)
    warn.mockRestore()
  })

  it('must return as many gradients as there are', () => {
    const net = new Double()
    net.registerFullBackwardHook(() => [null, null])
    const y = net(torch.ones(1).requiresGrad_())
    expect(() => y.sum().backward()).toThrow(
      'Backward hook returned an invalid number of grad_input, got 2, but expected 1',
    )
  })

  it('see all outputs of a module with several', () => {
    class Two extends nn.Module {
      override forward(x: torch.Tensor): [torch.Tensor, torch.Tensor] {
        return [x.mul(2), x.mul(3)]
      }
    }
    const net = new Two()
    const seen: unknown[] = []
    net.registerFullBackwardHook((_, gradInput, gradOutput) => {
      seen.push(
        gradInput.map((g) => g?.item()),
        gradOutput.map((g) => g?.item() ?? null),
      )
    })
    const x = torch.ones(1).requiresGrad_()
    const [a, b] = net(x)
    a.add(b).sum().backward()
    expect(seen).toEqual([[5], [1, 1]])
    expect(x.grad?.item()).toBe(5)
  })
})
