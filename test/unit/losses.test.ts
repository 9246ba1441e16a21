// Losses: values and gradients of PyTorch 2.13, and what is said when something does not fit.

import { describe, expect, test, vi } from 'vitest'
import { float32, nn, type Tensor, tensor, zeros } from '../../src/index.ts'

const F = nn.functional
const scores = (): Tensor =>
  tensor(
    [
      [0.5, -1.25, 2],
      [1, 0.25, -0.75],
    ],
    { requiresGrad: true },
  )
const target = tensor([2, 0])
const weight = tensor([1, 2, 0.5])
const answers = tensor(
  [
    [1, 0, 1],
    [0, 0, 1],
  ],
  { dtype: float32 },
)

function expectLoss(loss: (x: Tensor) => Tensor, value: number, gradient: number[][]): void {
  const x = scores()
  const result = loss(x)
  expect(result.item()).toBeCloseTo(value, 6)
  result.backward()
  const actual = x.grad!.tolist() as number[][]
  gradient.forEach((row, i) => {
    row.forEach((g, j) => {
      expect(actual[i][j]).toBeCloseTo(g, 6)
    })
  })
}

describe('values and gradients', () => {
  test('cross entropy of class indices', () => {
    expectLoss((x) => F.crossEntropy(x, target), 0.36552775, [
      [0.08841009, 0.01536337, -0.10377347],
      [-0.19625923, 0.14347698, 0.05278223],
    ])
  })

  test('cross entropy leaves out ignored targets, and divides by the weights of the others', () => {
    expectLoss((x) => F.crossEntropy(x, tensor([2, -100]), { weight }), 0.23262198, [
      [0.17682017, 0.03072674, -0.20754695],
      [0, 0, 0],
    ])
  })

  test('cross entropy with smoothed labels and weights', () => {
    expectLoss((x) => F.crossEntropy(x, target, { weight, labelSmoothing: 0.2 }), 0.90269458, [
      [0.03021297, -0.07591537, 0.04570241],
      [-0.15929051, 0.10879051, 0.05049996],
    ])
  })

  test('class indices and the probabilities that say the same give the same loss', () => {
    const x = scores()
    const probabilities = tensor([
      [0, 0, 1],
      [1, 0, 0],
    ]).float()
    const byIndex = F.crossEntropy(x, target, { weight, reduction: 'sum' }).item() as number
    const byProbability = F.crossEntropy(x, probabilities, { weight, reduction: 'sum' }).item()
    expect(byProbability).toBeCloseTo(byIndex, 6)
  })

  test('the mean over no target is NaN', () => {
    expect(F.crossEntropy(scores(), tensor([-100, -100])).item()).toBeNaN()
  })

  test('binary cross entropy with logits and a weight for positive answers', () => {
    expectLoss((x) => F.binaryCrossEntropyWithLogits(x, answers, { posWeight: weight }), 0.58285111, [
      [-0.06292344, 0.03711669, -0.00993358],
      [0.1218431, 0.09369609, -0.05659823],
    ])
  })

  test('mean squared error', () => {
    expectLoss((x) => F.mseLoss(x, answers), 1.15625, [
      [-0.16666667, -0.41666669, 0.33333334],
      [0.33333334, 0.08333334, -0.58333337],
    ])
  })

  test('smooth L1 loss', () => {
    expectLoss((x) => F.smoothL1Loss(x, answers, { beta: 0.5 }), 0.71875, [
      [-0.16666667, -0.16666667, 0.16666667],
      [0.16666667, 0.08333334, -0.16666667],
    ])
  })

  test('CTC loss', () => {
    const steps = Array.from({ length: 4 }, (_, t) => [[0, 1, 2].map((c) => Math.sin(3 * t + c))])
    const loss = F.ctcLoss(tensor(steps).logSoftmax(2), tensor([[1, 2]]), [4], [2])
    expect(loss.item()).toBeCloseTo(0.81730664, 6)
  })
})

describe('graph', () => {
  test('cross entropy is the likelihood of a log-softmax', () => {
    const loss = F.crossEntropy(scores(), target)
    expect(loss.gradFn!.name()).toBe('NllLossBackward0')
    expect(loss.gradFn!.edges[0]!.node.name()).toBe('LogSoftmaxBackward0')
  })

  test('losses over images have the name of the two-dimensional loss', () => {
    const images = zeros(2, 3, 4, 4).requiresGrad_()
    expect(F.nllLoss(images, zeros(2, 4, 4).long()).gradFn!.name()).toBe('NllLoss2DBackward0')
  })
})

describe('errors', () => {
  const logits = zeros(3, 4)
  test.each<[string, () => unknown, string, string]>([
    [
      'a class that does not exist',
      () => F.crossEntropy(logits, tensor([0, 1, 9])),
      'IndexError',
      'Target 9 is out of bounds.',
    ],
    [
      'a negative class',
      () => F.crossEntropy(logits, tensor([0, 1, -1])),
      'IndexError',
      'Target -1 is out of bounds.',
    ],
    [
      'floating targets',
      () => F.crossEntropy(logits, tensor([0.5, 1, 2])),
      'RuntimeError',
      'expected target dtype to be Long or Byte, but got Float',
    ],
    [
      'another batch size',
      () => F.crossEntropy(logits, tensor([0, 1])),
      'ValueError',
      'Expected input batch_size (3) to match target batch_size (2).',
    ],
    [
      'integer probabilities',
      () => F.crossEntropy(logits, zeros(3, 4).long()),
      'RuntimeError',
      'Expected floating point type for target with class probabilities, got Long',
    ],
    [
      'integer logits',
      () => F.crossEntropy(logits.long(), tensor([0, 1, 2])),
      'NotImplementedError',
      "not implemented for 'Long': a floating tensor is needed; convert it with .float()",
    ],
    [
      'integers all over',
      () => F.mseLoss(tensor([1]), tensor([2])),
      'NotImplementedError',
      'convert it with .float()',
    ],
    [
      'integer answers',
      () => F.binaryCrossEntropy(tensor([0.5]), tensor([1])),
      'RuntimeError',
      'Found dtype Long but expected Float',
    ],
    [
      'logits where probabilities are expected',
      () => F.binaryCrossEntropy(tensor([1.5]), tensor([1]).float()),
      'RuntimeError',
      'all elements of input should be between 0 and 1',
    ],
    [
      'another shape',
      () => F.binaryCrossEntropyWithLogits(zeros(2), zeros(3)),
      'ValueError',
      'Target size (torch.Size([3])) must be the same as input size (torch.Size([2]))',
    ],
    [
      'weights for other classes',
      () => F.nllLoss(logits, tensor([0, 1, 2]), { weight: zeros(3) }),
      'RuntimeError',
      'weight tensor should be defined either for all 4 classes',
    ],
    [
      'a reduction that does not exist',
      () => F.l1Loss(zeros(2), zeros(2), { reduction: 'average' as 'mean' }),
      'ValueError',
      'average is not a valid value for reduction',
    ],
    [
      'an option that does not exist',
      () => F.crossEntropy(logits, tensor([0, 1, 2]), { labelSmoothin: 0.1 } as object),
      'TypeError',
      "did you mean 'labelSmoothing'?",
    ],
  ])('%s', (_, call, name, message) => {
    expect(call).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }))
  })

  test('a target that is broadcast is warned about once', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    F.huberLoss(zeros(2, 3), zeros(3))
    F.huberLoss(zeros(2, 3), zeros(3))
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0][0]).toContain('Using a target size (torch.Size([3]))')
    warn.mockRestore()
  })
})
