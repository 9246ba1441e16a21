// Views: the same memory in another shape. Sizes, strides, offsets and texts were read off PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor

const x = () => torch.arange(12).view(3, 4)
const sharesMemory = (a: Tensor, b: Tensor) => a.storage === b.storage
const geometry = (t: Tensor) => [[...t.shape], t.stride(), t.storageOffset()]

describe('a view', () => {
  const views: Record<string, [(t: Tensor) => Tensor, number[], number[], number]> = {
    view: [(t) => t.view(2, 6), [2, 6], [6, 1], 0],
    'view with a size left open': [(t) => t.view(2, -1), [2, 6], [6, 1], 0],
    select: [(t) => t.select(1, -1), [3], [4], 3],
    narrow: [(t) => t.narrow(1, -2, 2), [3, 2], [4, 1], 2],
    'a slice with a step': [(t) => t.at('1:', '::2'), [2, 2], [4, 2], 4],
    t: [(t) => t.t(), [4, 3], [1, 4], 0],
    transpose: [(t) => t.transpose(0, 1), [4, 3], [1, 4], 0],
    permute: [(t) => t.view(3, 2, 2).permute(2, 0, 1), [2, 3, 2], [1, 4, 2], 0],
    movedim: [(t) => t.view(3, 2, 2).movedim(0, 2), [2, 2, 3], [2, 1, 4], 0],
    unsqueeze: [(t) => t.unsqueeze(1), [3, 1, 4], [4, 4, 1], 0],
    'unsqueeze in front': [(t) => t.at(null), [1, 3, 4], [12, 4, 1], 0],
    squeeze: [(t) => t.view(3, 1, 4, 1).squeeze(), [3, 4], [4, 1], 0],
    'squeeze of some dimensions': [(t) => t.view(1, 3, 1, 4).squeeze([0, 1]), [3, 1, 4], [4, 4, 1], 0],
    expand: [(t) => t.expand(2, 3, 4), [2, 3, 4], [0, 4, 1], 0],
    'expand with sizes kept': [(t) => t.at(':1').expand(2, -1, 4), [2, 1, 4], [0, 4, 1], 0],
    diagonal: [(t) => t.diagonal(), [3], [5], 0],
    'a diagonal above': [(t) => t.diagonal(1), [3], [5], 1],
    'a diagonal below': [(t) => t.diagonal(-1), [2], [5], 4],
    unfold: [(t) => t.at(0).unfold(0, 2, 1), [3, 2], [1, 1], 0],
    asStrided: [(t) => t.asStrided([2, 3], [1, 2], 1), [2, 3], [1, 2], 1],
    'asStrided of a view, from its own beginning': [(t) => t.at(1).asStrided([2], [1]), [2], [1], 4],
    'asStrided of a view, from anywhere': [(t) => t.at(1).asStrided([2], [1], 0), [2], [1], 0],
    unflatten: [(t) => t.unflatten(1, [2, -1]), [3, 2, 2], [4, 2, 1], 0],
    flatten: [(t) => t.flatten(), [12], [1], 0],
    'the second part of a split': [(t) => t.split(3, 1)[1], [3, 1], [4, 1], 3],
    'the second of chunks': [(t) => t.chunk(2)[1], [1, 4], [4, 1], 8],
    'a part of unbind': [(t) => t.unbind(1)[2], [3], [4], 2],
    T: [(t) => t.T, [4, 3], [1, 4], 0],
    mT: [(t) => t.view(1, 3, 4).mT, [1, 4, 3], [12, 1, 4], 0],
  }
  for (const [name, [make, sizes, strides, offset]] of Object.entries(views))
    test(`made by ${name} lies where PyTorch's does, and shows what is written to the tensor`, () => {
      const t = x()
      const v = make(t)
      expect(geometry(v)).toEqual([sizes, strides, offset])
      const before = v.tolist()
      t.add_(100)
      expect(v.sub(100).tolist()).toEqual(before)
    })

  test('writes through to the tensor that it shows', () => {
    const t = x()
    t.t().at(0).fill_(-1)
    t.at(0, '2:').mul_(10)
    t.view(2, 6).select(0, 1).at(-1).zero_()
    t.diagonal().copy_(torch.tensor([7, 8, 9]))
    expect(t.tolist()).toEqual([
      [7, 1, 20, 30],
      [-1, 8, 6, 7],
      [-1, 9, 9, 0],
    ])
    const flat = torch.zeros(6)
    flat.asStrided([2], [3], 1).fill_(9)
    expect(flat.tolist()).toEqual([0, 9, 0, 0, 9, 0])
  })

  test('is one where the bounds of a slice lie outside', () => {
    const t = x()
    expect([...t.at('1:99').shape]).toEqual([2, 4])
    expect([...t.at('5:').shape]).toEqual([0, 4])
    expect([...t.at(':', '1:0').shape]).toEqual([3, 0])
    expect(t.at('-2:', 0).tolist()).toEqual([4, 8])
  })

  test('of a tensor without elements can have any shape without elements', () => {
    expect([...torch.zeros(0, 3).view(3, 0).shape]).toEqual([3, 0])
    expect([...torch.zeros(2, 0).reshape(0, 7).shape]).toEqual([0, 7])
    expect(torch.tensor(5).view(1).tolist()).toEqual([5])
    expect(torch.tensor([5]).view([]).item()).toBe(5)
  })
})

describe('reshape', () => {
  test('copies only where no strides show the elements in the new shape', () => {
    const t = x()
    const views = [t.reshape(2, 6), t.at(':', ':2').reshape(3, 2, 1), t.t().reshape(2, 2, 3)]
    expect(views.map((v) => sharesMemory(v, t))).toEqual([true, true, true])
    const copies = [t.t().reshape(12), t.at(':', ':2').reshape(6), t.t().reshape(2, 6)]
    expect(copies.map((c) => sharesMemory(c, t))).toEqual([false, false, false])
    expect(copies.map((c) => c.isContiguous())).toEqual([true, true, true])
    expect(copies[0].tolist()).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
  })

  test('is what flatten, ravel and contiguous do as well', () => {
    const t = x()
    expect(sharesMemory(t.flatten(), t)).toBe(true)
    expect(sharesMemory(t.t().flatten(), t)).toBe(false)
    expect(sharesMemory(t.ravel(), t)).toBe(true)
    expect(t.t().ravel().tolist()).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    expect(sharesMemory(t.t().contiguous(), t)).toBe(false)
    expect(sharesMemory(t.flip(0), t)).toBe(false)
  })
})

describe('contiguous', () => {
  test('are tensors whose elements lie in C order, dimensions of size 1 aside', () => {
    const t = x()
    expect(torch.zeros(2, 1, 3).transpose(0, 1).isContiguous()).toBe(true)
    expect(torch.zeros(0, 3).t().isContiguous()).toBe(true)
    expect(t.at(':', ':1').isContiguous()).toBe(false)
    expect(t.at(':1', ':2').isContiguous()).toBe(true)
    expect(t.t().isContiguous()).toBe(false)
  })
})

describe('what cannot be viewed is refused', () => {
  const cases: Record<string, [() => unknown, string]> = {
    'a shape across strides': [
      () => x().t().view(12),
      "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
    ],
    'another number of elements': [() => x().view(5, 2), "shape '[5, 2]' is invalid for input of size 12"],
    'a size that does not divide': [() => x().view(5, -1), "shape '[5, -1]' is invalid for input of size 12"],
    'two sizes left open': [() => x().view(-1, -1), 'only one dimension can be inferred'],
    'a negative size': [() => x().view(-2, 6), 'invalid shape dimension -2 at index 0 of shape [-2, 6]'],
    'an open size of nothing': [
      () => torch.zeros(0, 3).view(-1, 0),
      'cannot reshape tensor of 0 elements into shape [-1, 0] because the unspecified dimension size -1 can be any value and is ambiguous',
    ],
    'an index outside': [
      () => x().select(0, 3),
      'select(): index 3 out of range for tensor of size [3, 4] at dimension 0',
    ],
    'a dimension outside': [
      () => x().select(2, 0),
      'Dimension out of range (expected to be in range of [-2, 1], but got 2)',
    ],
    'a part of a tensor without dimensions': [
      () => torch.tensor(1).select(0, 0),
      'select() cannot be applied to a 0-dim tensor.',
    ],
    'a stretch that is too long': [
      () => x().narrow(1, 3, 2),
      'start (3) + length (2) exceeds dimension size (4).',
    ],
    'a stretch of negative length': [() => x().narrow(1, 0, -1), 'narrow(): length must be non-negative.'],
    'a stretch that begins outside': [
      () => x().narrow(1, 9, 1),
      'start out of range (expected to be in range of [-4, 4], but got 9)',
    ],
    't of three dimensions': [
      () => x().view(3, 2, 2).t(),
      't() expects a tensor with <= 2 dimensions, but self is 3D',
    ],
    'a dimension named twice': [() => x().permute(0, 0), 'permute(): duplicate dims are not allowed.'],
    'stretching what is not of size 1': [
      () => x().expand(3, 5),
      'The expanded size of the tensor (5) must match the existing size (4) at non-singleton dimension 1.  Target sizes: [3, 5].  Tensor sizes: [3, 4]',
    ],
    'stretching to fewer dimensions': [
      () => x().expand(4),
      'expand(torch.LongTensor{[3, 4]}, size=[4]): the number of sizes provided (1) must be greater or equal to the number of dimensions in the tensor (2)',
    ],
    'keeping the size of a new dimension': [
      () => x().expand(-1, 3, 4),
      "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension 0",
    ],
    'parts that are not the whole': [
      () => x().split([1, 2], 1),
      "split_with_sizes expects split_sizes to sum exactly to 4 (input tensor's size at dimension 1), but got split_sizes=[1, 2]",
    ],
    'no chunks': [() => x().chunk(0), 'chunk expects `chunks` to be greater than 0, got: 0'],
    'sizes that are not those of a dimension': [
      () => x().unflatten(1, [3, 2]),
      "unflatten: Provided sizes [3, 2] don't multiply up to the size of dim 1 (4) in the input tensor",
    ],
    'dimensions in the wrong order': [
      () => x().flatten(1, 0),
      'flatten() has invalid args: start_dim cannot come after end_dim',
    ],
    'windows larger than the dimension': [
      () => torch.arange(2).unfold(0, 3, 1),
      'maximum size for tensor at dimension 0 is 2 but size is 3',
    ],
    'the diagonal of one dimension': [
      () => x().diagonal(0, 1, 1),
      'diagonal dimensions cannot be identical 1, 1',
    ],
    'memory behind the end': [
      () => x().asStrided([4, 4], [4, 1]),
      'setStorage: sizes [4, 4], strides [4, 1], storage offset 0, and itemsize 8 requiring a storage size of 128 are out of bounds for storage of size 96',
    ],
    'memory before the beginning': [() => x().asStrided([2], [1], -1), 'Tensor: invalid storage offset -1'],
    'negative strides': [
      () => x().asStrided([2], [-1]),
      'as_strided: Negative strides are not supported at the moment, got strides: [-1]',
    ],
    'sizes without strides': [() => x().asStrided([4, 4], [4]), 'mismatch in length of strides and shape'],
    'a vector transposed as a matrix': [
      () => torch.zeros(3).mT,
      'tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor.',
    ],
  }
  for (const [name, [run, message]] of Object.entries(cases))
    test(name, () => {
      expect(run).toThrow(message)
    })
})

describe('the gradient of a view', () => {
  const weights = (...sizes: number[]) => torch.arange(sizes.reduce((a, b) => a * b, 1)).view(sizes)
  const gradientOf = (n: number, f: (t: Tensor) => Tensor) => {
    const t = torch.ones(n, { requiresGrad: true })
    const v = f(t)
    v.mul(weights(...v.shape))
      .sum()
      .backward()
    return t.grad?.tolist()
  }

  test('adds up elements that the view shows several times', () => {
    expect(gradientOf(4, (t) => t.asStrided([3, 2], [1, 1]))).toEqual([0, 3, 7, 5])
    expect(gradientOf(7, (t) => t.unfold(0, 3, 2))).toEqual([0, 1, 5, 4, 11, 7, 8])
    expect(gradientOf(2, (t) => t.expand(3, 2))).toEqual([6, 9])
  })

  test('is zero where the view does not look', () => {
    expect(gradientOf(4, (t) => t.at('1::2'))).toEqual([0, 0, 0, 1])
    expect(gradientOf(4, (t) => t.view(2, 2).diagonal())).toEqual([0, 0, 0, 1])
    expect(gradientOf(4, (t) => t.split(3)[0])).toEqual([0, 1, 2, 0])
    expect(gradientOf(4, (t) => t.unbind()[2].view(1).add(1))).toEqual([0, 0, 0, 0])
  })
})

describe('turning a tensor itself', () => {
  test('changes its shape, not its memory', () => {
    const t = torch.arange(6).view(2, 3)
    expect(t.transpose_(0, 1).tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect([...t.unsqueeze_(0).shape]).toEqual([1, 3, 2])
    expect([...t.squeeze_().shape]).toEqual([3, 2])
    expect(t.t_().stride()).toEqual([3, 1])
  })
})
