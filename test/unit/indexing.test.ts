// Reading and writing by index, `x.at(...)` and `x.setAt([...], value)`, against what PyTorch 2.13 gives for x[...].

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor

const int = (values: number | number[] | number[][]): Tensor => torch.tensor(values)
const int32 = (values: number[]): Tensor => torch.tensor(values, { dtype: torch.int32 })
const bytes = (values: number[]): Tensor => torch.tensor(values, { dtype: torch.uint8 })
const mask = (values: boolean | boolean[] | boolean[][] | boolean[][][]): Tensor => torch.tensor(values)
const cube = (): Tensor => torch.arange(24).view(2, 3, 4)
const from100 = (...sizes: number[]): Tensor =>
  torch
    .arange(sizes.reduce((a, b) => a * b, 1))
    .view(sizes)
    .add(100)
const double = (values: unknown): Tensor => torch.tensor(values as number[], { dtype: torch.float64 })
const leaf = (...sizes: number[]): Tensor =>
  torch
    .arange(sizes.reduce((a, b) => a * b, 1))
    .add(1)
    .view(sizes)
    .double()
    .requiresGrad_()

const elementsOf = (x: Tensor) => x.flatten().data().join(' ')

const text = (components: readonly torch.Index[]) =>
  components
    .map((c) =>
      c instanceof torch.Tensor ? `${c.dtype.name} ${JSON.stringify(c.tolist())}` : JSON.stringify(c),
    )
    .join(', ')

// Components, shape and elements of cube()[...].
const reads: readonly (readonly [torch.Index[], string])[] = [
  [[1], '[3, 4] 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[-1], '[3, 4] 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[0, 2], '[4] 8 9 10 11'],
  [[1, -1, -2], '[] 22'],
  [[':'], '[2, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [['...'], '[2, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [['...', 0], '[2, 3] 0 4 8 12 16 20'],
  [[0, '...', 1], '[3] 1 5 9'],
  [[':', 1], '[2, 4] 4 5 6 7 16 17 18 19'],
  [[':', ':', '1:3'], '[2, 3, 2] 1 2 5 6 9 10 13 14 17 18 21 22'],
  [['0:1'], '[1, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[':', '::2'], '[2, 2, 4] 0 1 2 3 8 9 10 11 12 13 14 15 20 21 22 23'],
  [['-1:', '-2:', ':-2'], '[1, 2, 2] 16 17 20 21'],
  [['1:1'], '[0, 3, 4] '],
  [['5:9'], '[0, 3, 4] '],
  [[null], '[1, 2, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[null, 1, null, '...', null], '[1, 1, 3, 4, 1] 12 13 14 15 16 17 18 19 20 21 22 23'],
  [['...', null], '[2, 3, 4, 1] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[':', null, 0], '[2, 1, 4] 0 1 2 3 12 13 14 15'],
  [[int([1, 0])], '[2, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11'],
  [
    [int([1, -1, 0])],
    '[3, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11',
  ],
  [[':', int([2, 0])], '[2, 2, 4] 8 9 10 11 0 1 2 3 20 21 22 23 12 13 14 15'],
  [[':', ':', int([3, 3])], '[2, 3, 2] 3 3 7 7 11 11 15 15 19 19 23 23'],
  [
    [
      int([
        [0, 1],
        [1, 0],
      ]),
    ],
    '[2, 2, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11',
  ],
  [[int([0, 1]), int([2, 0])], '[2, 4] 8 9 10 11 12 13 14 15'],
  [[int([0, 1]), ':', int([3, 0])], '[2, 3] 3 7 11 12 16 20'],
  [[int([[0], [1]]), int([0, 2])], '[2, 2, 4] 0 1 2 3 8 9 10 11 12 13 14 15 20 21 22 23'],
  [[0, int([1, 2])], '[2, 4] 4 5 6 7 8 9 10 11'],
  [[0, ':', int([1, 2])], '[3, 2] 1 2 5 6 9 10'],
  [[int([0, 1]), 0], '[2, 4] 0 1 2 3 12 13 14 15'],
  [[int([0, 1]), '...', int([3, 0])], '[2, 3] 3 7 11 12 16 20'],
  [[':', int([0, 2]), int([1, 3])], '[2, 2] 1 11 13 23'],
  [[null, int([1, 0])], '[1, 2, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[int([1, 0]), null], '[2, 1, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[int([0, 1]), null, int([0, 2])], '[2, 1, 4] 0 1 2 3 20 21 22 23'],
  [[int32([1, 0])], '[2, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[int(1)], '[3, 4] 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[':', int(-1)], '[2, 4] 8 9 10 11 20 21 22 23'],
  [[int(0), int(2)], '[4] 8 9 10 11'],
  [[[1, 0]], '[2, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23 0 1 2 3 4 5 6 7 8 9 10 11'],
  [
    [
      [0, 1],
      [2, 0],
    ],
    '[2, 4] 8 9 10 11 12 13 14 15',
  ],
  [[[true, false]], '[1, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[[]], '[0, 3, 4] '],
  [[mask([true, false])], '[1, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11'],
  [
    [
      mask([
        [true, false, true],
        [false, true, false],
      ]),
    ],
    '[3, 4] 0 1 2 3 8 9 10 11 16 17 18 19',
  ],
  [
    [
      mask([
        [true, false, true],
        [false, true, false],
      ]),
      1,
    ],
    '[3] 1 9 17',
  ],
  [
    [
      mask([
        [true, false, true],
        [false, true, false],
      ]),
      '1:3',
    ],
    '[3, 2] 1 2 9 10 17 18',
  ],
  [[':', mask([true, false, true])], '[2, 2, 4] 0 1 2 3 8 9 10 11 12 13 14 15 20 21 22 23'],
  [['...', mask([true, false, false, true])], '[2, 3, 2] 0 3 4 7 8 11 12 15 16 19 20 23'],
  [[mask([true, false]), int([2])], '[1, 4] 8 9 10 11'],
  [[mask([false, false])], '[0, 3, 4] '],
  [[':', int([0]), mask([true, false, false, true])], '[2, 2] 0 3 12 15'],
  [
    [
      mask([
        [
          [true, false, false, false],
          [false, true, false, false],
          [false, false, true, false],
        ],
        [
          [false, false, false, true],
          [false, false, false, false],
          [true, false, false, false],
        ],
      ]),
    ],
    '[5] 0 5 10 15 20',
  ],
  [[bytes([0, 1])], '[1, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[true], '[1, 2, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[false], '[0, 2, 3, 4] '],
  [[mask(true)], '[1, 2, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[true, 0], '[1, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[0, true], '[1, 3, 4] 0 1 2 3 4 5 6 7 8 9 10 11'],
  [[null, mask([false, true])], '[1, 1, 3, 4] 12 13 14 15 16 17 18 19 20 21 22 23'],
]

// Components, value, and all elements of cube() after cube()[...] = value.
const writes: readonly (readonly [torch.Index[], number | Tensor, string])[] = [
  [[1], 7, '0 1 2 3 4 5 6 7 8 9 10 11 7 7 7 7 7 7 7 7 7 7 7 7'],
  [[0, 2], from100(4), '0 1 2 3 4 5 6 7 100 101 102 103 12 13 14 15 16 17 18 19 20 21 22 23'],
  [
    [':', ':', '1:3'],
    from100(2),
    '0 100 101 3 4 100 101 7 8 100 101 11 12 100 101 15 16 100 101 19 20 100 101 23',
  ],
  [['...', 0], from100(2, 3), '100 1 2 3 101 5 6 7 102 9 10 11 103 13 14 15 104 17 18 19 105 21 22 23'],
  [[':', 1], from100(2, 1), '0 1 2 3 100 100 100 100 8 9 10 11 12 13 14 15 101 101 101 101 20 21 22 23'],
  [
    [0],
    from100(1, 1, 3, 4),
    '100 101 102 103 104 105 106 107 108 109 110 111 12 13 14 15 16 17 18 19 20 21 22 23',
  ],
  [
    [':', '::2'],
    from100(4),
    '100 101 102 103 4 5 6 7 100 101 102 103 100 101 102 103 16 17 18 19 100 101 102 103',
  ],
  [[0, 1, 2], 5, '0 1 2 3 4 5 5 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[null, 1, '0:1'], from100(1, 1, 4), '0 1 2 3 4 5 6 7 8 9 10 11 100 101 102 103 16 17 18 19 20 21 22 23'],
  [
    [int([1, 0])],
    from100(2, 3, 4),
    '112 113 114 115 116 117 118 119 120 121 122 123 100 101 102 103 104 105 106 107 108 109 110 111',
  ],
  [
    [':', int([2, 0])],
    from100(4),
    '100 101 102 103 4 5 6 7 100 101 102 103 100 101 102 103 16 17 18 19 100 101 102 103',
  ],
  [
    [int([0, 1]), int([2, 0])],
    from100(2, 4),
    '0 1 2 3 4 5 6 7 100 101 102 103 104 105 106 107 16 17 18 19 20 21 22 23',
  ],
  [
    [int([0, 1]), ':', int([3, 0])],
    from100(2, 1),
    '0 1 2 100 4 5 6 100 8 9 10 100 101 13 14 15 101 17 18 19 101 21 22 23',
  ],
  [[0, int([1, 2]), 1], from100(2), '0 1 2 3 4 100 6 7 8 101 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[int([0, 1])], -1, '-1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1'],
  [
    [
      mask([
        [true, false, true],
        [false, true, false],
      ]),
    ],
    from100(3, 4),
    '100 101 102 103 4 5 6 7 104 105 106 107 12 13 14 15 108 109 110 111 20 21 22 23',
  ],
  [
    [
      mask([
        [true, false, true],
        [false, true, false],
      ]),
    ],
    0,
    '0 0 0 0 4 5 6 7 0 0 0 0 12 13 14 15 0 0 0 0 20 21 22 23',
  ],
  [
    [
      mask([
        [true, false, true],
        [false, true, false],
      ]),
      1,
    ],
    from100(3),
    '0 100 2 3 4 5 6 7 8 101 10 11 12 13 14 15 16 102 18 19 20 21 22 23',
  ],
  [
    [
      mask([
        [
          [true, false, false, false],
          [false, true, false, false],
          [false, false, true, false],
        ],
        [
          [false, false, false, true],
          [false, false, false, false],
          [true, false, false, false],
        ],
      ]),
    ],
    from100(5),
    '100 1 2 3 4 101 6 7 8 9 102 11 12 13 14 103 16 17 18 19 104 21 22 23',
  ],
  [
    [':', mask([true, false, true])],
    from100(2, 2, 4),
    '100 101 102 103 4 5 6 7 104 105 106 107 108 109 110 111 16 17 18 19 112 113 114 115',
  ],
  [[mask([false, false])], from100(3, 4), '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[[1, 0], 0], from100(2, 4), '104 105 106 107 4 5 6 7 8 9 10 11 100 101 102 103 16 17 18 19 20 21 22 23'],
  [[true, 1], from100(3, 4), '0 1 2 3 4 5 6 7 8 9 10 11 100 101 102 103 104 105 106 107 108 109 110 111'],
  [[false], 9, '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23'],
  [[int(1), int(2)], from100(4), '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 100 101 102 103'],
  [
    [int([0, 1])],
    from100(1, 1, 1, 4),
    '100 101 102 103 100 101 102 103 100 101 102 103 100 101 102 103 100 101 102 103 100 101 102 103',
  ],
  [['...'], 3, '3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3'],
]

describe('at', () => {
  for (const [components, expected] of reads)
    test(`reads [${text(components)}]`, () => {
      const result = cube().at(...components)
      expect(`[${result.shape.join(', ')}] ${elementsOf(result)}`).toBe(expected)
    })

  test('gives views for numbers, slices and new dimensions, copies for tensors and lists', () => {
    const x = cube()
    const shares = (...components: torch.Index[]) => x.at(...components).storage === x.storage
    expect([shares(0), shares(':', '1:'), shares(null, '...', 2), shares(int(1)), shares('...')]).toEqual(
      Array(5).fill(true),
    )
    expect([shares(int([0])), shares([0]), shares(mask([true, false])), shares(true)]).toEqual(
      Array(4).fill(false),
    )
    x.at(0, 0).fill_(-1)
    expect(x.at(0, 0, 3).item()).toBe(-1)
  })

  test('adds up the gradients of elements read several times', () => {
    const x = leaf(3)
    x.at(int([0, 2, 0]))
      .mul(double([1, 10, 100]))
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([101, 0, 10])
  })
})

describe('setAt', () => {
  for (const [components, value, expected] of writes)
    test(`writes [${text(components)}] = ${typeof value === 'number' ? value : `[${value.shape.join(', ')}]`}`, () => {
      const x = cube()
      expect(x.setAt(components, value) === x).toBe(true)
      expect(elementsOf(x)).toBe(expected)
    })

  test('takes one component without a list', () => {
    expect(torch.zeros(3).setAt(1, 5).tolist()).toEqual([0, 5, 0])
    expect(torch.zeros(3).setAt('1:', 5).tolist()).toEqual([0, 5, 5])
  })

  test('converts to the dtype of the tensor', () => {
    const x = torch.zeros(3, { dtype: torch.int32 })
    x.setAt([0], 1.9)
    x.setAt(['1:'], torch.tensor([2.7, -2.7]))
    expect(x.tolist()).toEqual([1, 2, -2])
    expect(torch.zeros(2).setAt([0], true).tolist()).toEqual([1, 0])
  })

  test('reads a value that lies in the same memory before it writes', () => {
    const x = torch.arange(4)
    x.setAt([int([3, 2, 1])], x.at(':3'))
    expect(x.tolist()).toEqual([0, 2, 1, 0])
    x.setAt(['1:'], x.at(':3'))
    expect(x.tolist()).toEqual([0, 0, 2, 1])
  })

  const weights = double([
    [1, 2],
    [3, 4],
  ])
  const gradients = (change: (h: Tensor, v: Tensor) => void, v: Tensor) => {
    const x = leaf(2, 2)
    const h = x.mul(1)
    change(h, v)
    h.mul(weights).sum().backward()
    return [x.grad?.tolist(), v.grad?.tolist()]
  }

  test('sends the gradient to the value where it was written, elsewhere to the tensor', () => {
    const advanced = gradients((h, v) => h.setAt([int([0, 1]), int([1, 0])], v.mul(3)), leaf(2))
    expect(advanced).toEqual([
      [
        [1, 0],
        [0, 4],
      ],
      [6, 9],
    ])
    const masked = gradients((h, v) => h.setAt([h.detach().gt(2)], v), leaf())
    expect(masked).toEqual([
      [
        [1, 2],
        [0, 0],
      ],
      7,
    ])
    const twice = gradients((h, v) => {
      h.setAt([':', 0], v)
      h.setAt([0], v)
    }, leaf(2))
    expect(twice).toEqual([
      [
        [0, 0],
        [0, 4],
      ],
      [1, 5],
    ])
  })

  test('brings a tensor that required no gradient into the graph', () => {
    const x = leaf(4)
    const z = torch.zeros(2, { dtype: torch.float64 })
    z.setAt([':'], x.at('::2'))
    z.mul(double([1, 2]))
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([1, 0, 2, 0])
  })
})

describe('an index that does not fit', () => {
  const x = cube()
  const cases: Record<string, [() => unknown, string, string]> = {
    'a number outside': [() => x.at(5), 'IndexError', 'index 5 is out of bounds for dimension 0 with size 2'],
    'a number outside, behind another': [
      () => x.at(0, 5),
      'IndexError',
      'index 5 is out of bounds for dimension 1 with size 3',
    ],
    'a number outside, behind slices': [
      () => x.at(':', ':', 9),
      'IndexError',
      'index 9 is out of bounds for dimension 2 with size 4',
    ],
    'a number outside, from the end': [
      () => x.at(-3),
      'IndexError',
      'index -3 is out of bounds for dimension 0 with size 2',
    ],
    'a tensor without dimensions outside': [
      () => x.at(0, int(3)),
      'IndexError',
      'index 3 is out of bounds for dimension 1 with size 3',
    ],
    'a tensor with an element outside': [
      () => x.at(int([0, 2])),
      'IndexError',
      'index 2 is out of bounds for dimension 0 with size 2',
    ],
    'too many components': [
      () => x.at(0, 0, 0, 0),
      'IndexError',
      'too many indices for tensor of dimension 3',
    ],
    'a number for a tensor without dimensions': [
      () => torch.tensor(5).at(0),
      'IndexError',
      'invalid index of a 0-dim tensor. Use `tensor.item()`',
    ],
    'a mask of another shape': [
      () => x.at(mask([true, false, true])),
      'IndexError',
      'The shape of the mask [3] at index 0 does not match the shape of the indexed tensor [2, 3, 4] at index 0',
    ],
    'a mask of another shape, behind a slice': [
      () => x.at(':', mask([true, false])),
      'IndexError',
      'The shape of the mask [2] at index 0 does not match the shape of the indexed tensor [2, 3, 4] at index 1',
    ],
    'tensors that do not broadcast': [
      () => x.at(int([0, 1]), int([0, 1, 2])),
      'IndexError',
      'shape mismatch: indexing tensors could not be broadcast together with shapes [2], [3]',
    ],
    'a tensor of floats': [
      () => x.at(torch.ones(1)),
      'IndexError',
      'tensors used as indices must be long, int, byte or bool tensors',
    ],
    'a tensor of short integers': [
      () => x.at(torch.ones(1, { dtype: torch.int16 })),
      'IndexError',
      'tensors used as indices must be long, int, byte or bool tensors',
    ],
    'a negative step': [() => x.at('::-1'), 'ValueError', 'step must be greater than zero'],
    'a word': [
      () => x.at('all'),
      'IndexError',
      "'all' is no index: expected a slice such as ':', '1:3', '::2', or '...'",
    ],
    'a fraction': [() => x.at(1.5), 'IndexError', 'an index must be a whole number, got 1.5'],
    'a value that does not broadcast': [
      () => torch.zeros(2, 3).setAt([0], torch.ones(2)),
      'RuntimeError',
      'The expanded size of the tensor (3) must match the existing size (2) at non-singleton dimension 0.  Target sizes: [3].  Tensor sizes: [2]',
    ],
    'a value of more dimensions': [
      () => torch.zeros(2, 3).setAt([0], torch.ones(2, 3)),
      'RuntimeError',
      'expand(torch.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be greater or equal to the number of dimensions in the tensor (2)',
    ],
    'a value that does not fit what a tensor selects': [
      () => torch.zeros(2, 3).setAt([int([0, 1])], torch.ones(3, 3)),
      'RuntimeError',
      'shape mismatch: value tensor of shape [3, 3] cannot be broadcast to indexing result of shape [2, 3]',
    ],
    'a value that does not fit a mask': [
      () => torch.zeros(2, 3).setAt([torch.ones(2, 3).bool()], torch.ones(2)),
      'RuntimeError',
      'shape mismatch: value tensor of shape [2] cannot be broadcast to indexing result of shape [6]',
    ],
  }
  for (const [name, [run, kind, message]] of Object.entries(cases))
    test(name, () => {
      expect(run).toThrow(expect.objectContaining({ name: kind, message: expect.stringContaining(message) }))
    })

  test('leaves the tensor that was to be written as it was', () => {
    const y = cube()
    expect(() => y.setAt([int([0, 1, 7])], -1)).toThrow(
      'index 7 is out of bounds for dimension 0 with size 2',
    )
    expect(y.flatten().tolist()).toEqual(cube().flatten().tolist())
  })
})
