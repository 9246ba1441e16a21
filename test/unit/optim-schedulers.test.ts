// Learning rate schedulers: the rates they set (against PyTorch 2.13), their states, warnings and errors.

import { afterEach, describe, expect, it, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const { SGD, Adam } = torch.optim
const schedulers = torch.optim.lrScheduler
type Scheduler = InstanceType<typeof schedulers.LRScheduler>
type AnyOptimizer = torch.optim.SGD

afterEach(() => {
  vi.restoreAllMocks()
})

function sgd(groups = 1): torch.optim.SGD {
  const params = Array.from({ length: groups }, () => ({ params: [torch.zeros([1]).requiresGrad_()] }))
  return new SGD(params, { lr: 0.1, momentum: 0.9 })
}

const makers: Record<string, (o: AnyOptimizer) => Scheduler> = {
  StepLR: (o) => new schedulers.StepLR(o, 2),
  MultiStepLR: (o) => new schedulers.MultiStepLR(o, [2, 2, 4], { gamma: 0.5 }),
  LambdaLR: (o) => new schedulers.LambdaLR(o, (epoch) => 1 / (epoch + 1)),
  MultiplicativeLR: (o) => new schedulers.MultiplicativeLR(o, () => 0.5),
  ConstantLR: (o) => new schedulers.ConstantLR(o, 0.5, { totalIters: 2 }),
  LinearLR: (o) => new schedulers.LinearLR(o, { startFactor: 0.5, totalIters: 4 }),
  ExponentialLR: (o) => new schedulers.ExponentialLR(o, 0.5),
  PolynomialLR: (o) => new schedulers.PolynomialLR(o, 4, { power: 2 }),
  CosineAnnealingLR: (o) => new schedulers.CosineAnnealingLR(o, 3, 0.01),
  CosineAnnealingWarmRestarts: (o) => new schedulers.CosineAnnealingWarmRestarts(o, 2, 2),
  OneCycleLR: (o) => new schedulers.OneCycleLR(o, 0.5, { totalSteps: 6 }),
  CyclicLR: (o) => new schedulers.CyclicLR(o, 0.01, 0.1, { stepSizeUp: 2, mode: 'triangular2' }),
  SequentialLR: (o) =>
    new schedulers.SequentialLR(
      o,
      [new schedulers.ConstantLR(o, 0.1, { totalIters: 2 }), new schedulers.ExponentialLR(o, 0.5)],
      [3],
    ),
  ChainedScheduler: (o) =>
    new schedulers.ChainedScheduler([
      new schedulers.ConstantLR(o, 0.1, { totalIters: 2 }),
      new schedulers.ExponentialLR(o, 0.5),
    ]),
  SWALR: (o) => new torch.optim.swaUtils.SWALR(o, 0.05, { annealEpochs: 3 }),
}

// The rate at the start and after each step, from PyTorch, for SGD with rate 0.1.
const recorded: Record<string, number[]> = {
  StepLR: [
    0.1, 0.1, 0.010000000000000002, 0.010000000000000002, 0.0010000000000000002, 0.0010000000000000002,
  ],
  MultiStepLR: [0.1, 0.1, 0.025, 0.025, 0.0125, 0.0125, 0.0125],
  LambdaLR: [0.1, 0.05, 0.03333333333333333, 0.025, 0.020000000000000004],
  MultiplicativeLR: [0.1, 0.05, 0.025, 0.0125, 0.00625],
  ConstantLR: [0.05, 0.05, 0.1, 0.1, 0.1],
  LinearLR: [0.05, 0.0625, 0.075, 0.08750000000000001, 0.1, 0.1],
  ExponentialLR: [0.1, 0.05, 0.025, 0.0125, 0.00625],
  PolynomialLR: [0.1, 0.05625, 0.024999999999999998, 0.0062499999999999995, 0, 0],
  CosineAnnealingLR: [
    0.1, 0.0775, 0.032500000000000015, 0.01, 0.0325, 0.07750000000000005, 0.10000000000000007,
  ],
  CosineAnnealingWarmRestarts: [0.1, 0.05, 0.1, 0.08535533905932738, 0.05, 0.014644660940672627, 0.1],
  OneCycleLR: [
    0.020000000000000018, 0.49720771772545586, 0.4058728269748815, 0.23131855133348753, 0.0667387650944153,
    2e-6,
  ],
  CyclicLR: [0.01, 0.05500000000000001, 0.1, 0.05500000000000001, 0.01, 0.0325, 0.05500000000000001],
  SequentialLR: [0.010000000000000002, 0.010000000000000002, 0.10000000000000002, 0.1, 0.05, 0.025, 0.0125],
  ChainedScheduler: [
    0.010000000000000002, 0.005000000000000001, 0.025000000000000005, 0.012500000000000002,
    0.006250000000000001,
  ],
  SWALR: [0.1, 0.08750000000000001, 0.06250000000000001, 0.05, 0.05],
}
describe('rates are PyTorch’s', () => {
  it.each(Object.keys(makers))('%s', (name) => {
    const optimizer = sgd()
    const scheduler = makers[name](optimizer)
    recorded[name].forEach((rate, epoch) => {
      if (epoch > 0) {
        optimizer.step()
        scheduler.step()
      }
      expect(optimizer.paramGroups[0].lr).toBeCloseTo(rate, 14)
      expect(scheduler.getLastLr()).toEqual([optimizer.paramGroups[0].lr])
    })
  })
})

describe('a scheduler resumed from its state', () => {
  it.each(Object.keys(makers))('%s goes on where it stopped', (name) => {
    const advance = (optimizer: AnyOptimizer, scheduler: Scheduler) => {
      optimizer.step()
      scheduler.step()
      return optimizer.paramGroups[0].lr
    }
    const through = sgd()
    const scheduler = makers[name](through)
    advance(through, scheduler)
    advance(through, scheduler)
    const state = { optimizer: through.stateDict(), scheduler: scheduler.stateDict() }

    const resumed = sgd()
    const second = makers[name](resumed)
    second.loadStateDict(state.scheduler)
    resumed.loadStateDict(state.optimizer)
    for (let i = 0; i < 3; i++) expect(advance(resumed, second)).toBe(advance(through, scheduler))
  })
})

describe('StepLR', () => {
  it('writes the state that PyTorch writes', () => {
    const optimizer = sgd()
    const scheduler = new schedulers.StepLR(optimizer, 3, 0.5)
    optimizer.step()
    scheduler.step()
    expect([...scheduler.stateDict()]).toEqual([
      ['step_size', 3],
      ['gamma', 0.5],
      ['base_lrs', [0.1]],
      ['last_epoch', 1],
      ['_step_count', 2],
      ['_is_initial', false],
      ['_get_lr_called_within_step', false],
      ['_last_lr', [0.1]],
    ])
  })

  it('scales each group from its own rate', () => {
    const optimizer = new SGD([
      { params: [torch.zeros([1])], lr: 1 },
      { params: [torch.zeros([1])], lr: 2 },
    ])
    const scheduler = new schedulers.StepLR(optimizer, 1, { gamma: 0.5 })
    optimizer.step()
    scheduler.step()
    expect(optimizer.paramGroups.map((g) => [g.lr, g.initialLr])).toEqual([
      [0.5, 1],
      [1, 2],
    ])
  })

  it('resumes at an epoch only with an optimizer that was under a scheduler', () => {
    expect(() => new schedulers.StepLR(sgd(), 3, { lastEpoch: 4 })).toThrow(
      "param 'initial_lr' is not specified in param_groups[0] when resuming scheduler with last_epoch >= 0.",
    )
  })
})

describe('momentum', () => {
  it('moves against the rate, in betas where there are such', () => {
    const optimizer = new Adam([torch.zeros([1])], { lr: 0.1 })
    const scheduler = new schedulers.OneCycleLR(optimizer, 0.5, { totalSteps: 10 })
    expect(optimizer.paramGroups[0].betas).toEqual(torch.Tuple.of(0.95, 0.999))
    optimizer.step()
    scheduler.step()
    expect(optimizer.paramGroups[0].betas[0]).toBeLessThan(0.95)
    expect(String(optimizer)).toMatch(/ betas: \(0\.\d+, 0\.999\)\n/)
  })

  it('must exist', () => {
    const optimizer = new torch.optim.Adagrad([torch.zeros([1])])
    expect(() => new schedulers.CyclicLR(optimizer, 0.1, 1)).toThrow(
      'optimizer must support momentum or beta1 with `cycle_momentum` option enabled',
    )
    expect(() => new schedulers.CyclicLR(optimizer, 0.1, 1, { cycleMomentum: false })).not.toThrow()
  })
})

describe('ReduceLROnPlateau', () => {
  it('lowers the rate after more bad epochs than its patience, and takes a tensor for a metric', () => {
    const optimizer = sgd()
    const scheduler = new schedulers.ReduceLROnPlateau(optimizer, { patience: 1, factor: 0.5 })
    const rates = [1, 0.5, 0.6, torch.tensor(0.7), 0.4].map((metric) => {
      scheduler.step(metric)
      return optimizer.paramGroups[0].lr
    })
    expect(rates).toEqual([0.1, 0.1, 0.1, 0.05, 0.05])
    expect(scheduler.best).toBe(0.4)
  })

  it('needs a metric', () => {
    expect(() => new schedulers.ReduceLROnPlateau(sgd()).step(undefined)).toThrow('needs the metric')
  })

  it('cannot be part of a sequence', () => {
    const optimizer = sgd()
    expect(() => new schedulers.ChainedScheduler([new schedulers.ReduceLROnPlateau(optimizer)])).toThrow(
      'ChainedScheduler does not support `ReduceLROnPlateau` scheduler',
    )
  })
})

describe('warnings', () => {
  it('come where the scheduler steps before the optimizer, once in the right order none', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const optimizer = sgd()
    const scheduler = new schedulers.StepLR(optimizer, 3)
    scheduler.step()
    expect(warn.mock.calls[0][0]).toContain(
      'Detected call of `lr_scheduler.step()` before `optimizer.step()`',
    )
    warn.mockClear()
    const second = sgd()
    const right = new schedulers.StepLR(second, 3)
    second.step()
    right.step()
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('errors', () => {
  const cases: [what: string, make: () => unknown, message: string][] = [
    ['no optimizer', () => new schedulers.StepLR({} as never, 1), 'is not an Optimizer'],
    [
      'another number of functions',
      () => new schedulers.LambdaLR(sgd(2), [() => 1]),
      'Expected 2 lr_lambdas, but got 1',
    ],
    ['no function', () => new schedulers.LambdaLR(sgd(), 1 as never), 'lr_lambda should be a function'],
    [
      'a factor above 1',
      () => new schedulers.ConstantLR(sgd(), 2),
      'Constant multiplicative factor expected to be between 0 and 1.',
    ],
    [
      'no steps',
      () => new schedulers.OneCycleLR(sgd(), 1),
      'You must define either total_steps OR (epochs AND steps_per_epoch)',
    ],
    [
      'rates for other groups',
      () => new schedulers.OneCycleLR(sgd(2), [1], 10),
      'max_lr must have the same length as optimizer.param_groups. max_lr has 1 values, param_groups has 2.',
    ],
    [
      'a period of 0',
      () => new schedulers.CosineAnnealingWarmRestarts(sgd(), 0),
      'Expected positive integer T_0, but got 0',
    ],
    [
      'milestones',
      () => {
        const o = sgd()
        return new schedulers.SequentialLR(o, [new schedulers.StepLR(o, 1)], [3])
      },
      'number of milestones to be equal to 1',
    ],
    [
      'schedulers of another optimizer',
      () => new schedulers.SequentialLR(sgd(), [new schedulers.StepLR(sgd(), 1)], []),
      'expects all schedulers to belong to the same optimizer',
    ],
    [
      'an unknown option',
      () => new schedulers.StepLR(sgd(), 1, { gama: 1 } as never),
      "did you mean 'gamma'",
    ],
  ]
  it.each(cases)('%s', (_, make, message) => {
    expect(make).toThrow(message)
  })

  it('OneCycleLR does not go beyond its last step', () => {
    const optimizer = sgd()
    const scheduler = new schedulers.OneCycleLR(optimizer, 1, 2)
    const step = () => {
      optimizer.step()
      scheduler.step()
    }
    step()
    step()
    expect(step).toThrow('Tried to step 3 times. The specified number of total steps is 2')
  })
})

describe('a scheduler of one’s own', () => {
  it('overrides getLr', () => {
    class Warmup extends schedulers.LRScheduler {
      constructor(
        optimizer: torch.optim.SGD,
        readonly steps: number,
      ) {
        super(optimizer)
        this.start()
      }
      override getLr() {
        return this.baseLrs.map((lr) => lr * Math.min(1, (this.lastEpoch + 1) / this.steps))
      }
    }
    const optimizer = sgd()
    const scheduler = new Warmup(optimizer, 2)
    expect(optimizer.paramGroups[0].lr).toBe(0.05)
    optimizer.step()
    scheduler.step()
    expect(optimizer.paramGroups[0].lr).toBe(0.1)
  })
})
