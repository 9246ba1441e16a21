// Layers: what the recorded cases cannot say, such as messages, modes and old options.

import { describe, expect, it, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const { functional: F } = nn

const rounded = (x: torch.Tensor | null | undefined) =>
  (x!.tolist() as number[]).map((v) => Number(v.toFixed(4)))

describe('batch normalisation', () => {
  it('without momentum averages the statistics of all batches, the variance unbiased', () => {
    const norm = new nn.BatchNorm1d(2, { momentum: null })
    const x = torch
      .tensor([
        [1, 2],
        [3, 6],
        [5, 1],
      ])
      .float()
    norm(x)
    expect(rounded(norm.running_mean)).toEqual([3, 3])
    expect(rounded(norm.running_var)).toEqual([4, 7])
    norm(x.mul(2))
    expect(rounded(norm.running_mean)).toEqual([4.5, 4.5])
    expect(rounded(norm.running_var)).toEqual([10, 17.5])
    expect(norm.num_batches_tracked?.item()).toBe(2)
  })

  it('leaves the statistics alone in evaluation', () => {
    const norm = new nn.BatchNorm2d(1).eval()
    norm(torch.ones(1, 1, 2, 2))
    expect(norm.num_batches_tracked?.item()).toBe(0)
    expect(rounded(norm.running_mean)).toEqual([0])
  })

  it('refuses other dimensions, and a single value per channel in training', () => {
    expect(() => new nn.BatchNorm2d(3)(torch.ones(2, 3))).toThrow('expected 4D input (got 2D input)')
    expect(() => new nn.BatchNorm1d(3)(torch.ones(2))).toThrow('expected 2D or 3D input (got 1D input)')
    expect(() => new nn.BatchNorm1d(3)(torch.ones(1, 3))).toThrow(
      'Expected more than 1 value per channel when training, got input size torch.Size([1, 3])',
    )
  })

  it('is replaced in a model by its synchronised form, with the same parameters', () => {
    const model = new nn.Sequential(new nn.BatchNorm1d(2), new nn.ReLU())
    const { weight } = model.at<torch.nn.BatchNorm1d>(0)
    const converted = nn.SyncBatchNorm.convertSyncBatchnorm(model)
    expect(converted.getSubmodule('0')).toBeInstanceOf(nn.SyncBatchNorm)
    expect(converted.getParameter('0.weight') === weight).toBe(true)
  })
})

describe('constructors', () => {
  it('refuse options that they do not know, guessing what was meant', () => {
    expect(() => new nn.Conv2d(1, 2, 3, { strides: 2 } as object)).toThrow(
      "Conv2d() got an unexpected option 'strides'; did you mean 'stride'?",
    )
    expect(() => new nn.Linear(1, 2, { Bias: false } as object)).toThrow(TypeError)
    expect(() => new nn.Dropout({ prob: 1 } as object)).toThrow(TypeError)
  })

  it('take the first option by position', () => {
    expect(new nn.Dropout(0.25).p).toBe(0.25)
    expect(new nn.Conv2d(1, 2, 3, 2, { padding: 1 }).stride).toEqual([2, 2])
    expect(new nn.LayerNorm(3, 1e-3).eps).toBe(1e-3)
    expect(new nn.LSTM(2, 3, 2).numLayers).toBe(2)
  })

  it('refuse settings that make no sense, with the messages of PyTorch', () => {
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow('in_channels must be divisible by groups')
    expect(() => new nn.Conv2d(4, 4, 3, { padding: 'full' as 'same' })).toThrow(
      "Invalid padding string 'full', should be one of {'same', 'valid'}",
    )
    expect(() => new nn.Dropout(2)).toThrow('dropout probability has to be between 0 and 1, but got 2.0')
    expect(() => new nn.MultiheadAttention(5, 2)).toThrow('embed_dim must be divisible by num_heads')
    expect(() => new nn.Embedding(3, 2, 5)).toThrow('Padding_idx must be within num_embeddings')
    expect(() => new nn.LSTM(2, 0)).toThrow('hidden_size must be greater than zero')
    expect(() => new nn.GroupNorm(2, 3)).toThrow('num_channels (3) must be divisible by num_groups (2)')
  })

  it('make parameters of the dtype asked for', () => {
    const linear = new nn.Linear(1, 2, { dtype: torch.float64 })
    expect([...linear.parameters()].map((p) => p.dtype)).toEqual([torch.float64, torch.float64])
  })
})

describe('layers', () => {
  it('say which shapes do not fit', () => {
    expect(() => new nn.Linear(2, 2)(torch.ones(3, 3))).toThrow(
      'mat1 and mat2 shapes cannot be multiplied (3x3 and 2x2)',
    )
    expect(() => new nn.LSTM(2, 3)(torch.ones(2, 5, 3))).toThrow(
      'input.size(-1) must be equal to input_size. Expected 2, got 3',
    )
    expect(() =>
      new nn.LSTM(2, 3)(torch.ones(5, 1, 2), [torch.zeros(1, 1, 3), torch.zeros(1, 2, 3)]),
    ).toThrow('Expected hidden[1] size (1, 1, 3), got [1, 2, 3]')
  })

  it('drop nothing in evaluation', () => {
    const dropout = new nn.Dropout(0.5).eval()
    expect(dropout(torch.ones(100)).sum().item()).toBe(100)
    dropout.train()
    expect(dropout(torch.ones(100)).sum().item()).not.toBe(100)
  })

  it('keep the padding row of an embedding zero and without gradient', () => {
    const embedding = new nn.Embedding(4, 2, { paddingIdx: -1 })
    expect(embedding.paddingIdx).toBe(3)
    embedding(torch.tensor([0, 3]))
      .sum()
      .backward()
    expect(embedding.weight.tolist()).toEqual(expect.arrayContaining([[0, 0]]))
    expect(embedding.weight.grad?.tolist()).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [0, 0],
    ])
    const fixed = nn.Embedding.fromPretrained(torch.ones(2, 2))
    expect(fixed.weight.requiresGrad).toBe(false)
  })

  it('compute the same with the functions behind them', () => {
    const x = torch.randn(2, 3)
    const linear = new nn.Linear(3, 2)
    expect(F.linear(x, linear.weight, linear.bias).equal(linear(x))).toBe(true)
    expect(F.linear(x, linear.weight, { bias: linear.bias }).equal(linear(x))).toBe(true)
  })

  it('choose the size of a transposed convolution among those that fit', () => {
    const up = new nn.ConvTranspose2d(1, 1, 3, { stride: 2 })
    const x = torch.ones(1, 1, 3, 3)
    expect(up(x).sizes).toEqual([1, 1, 7, 7])
    expect(up(x, { outputSize: [8, 7] }).sizes).toEqual([1, 1, 8, 7])
    expect(() => up(x, [9, 7])).toThrow(/requested an output size of \[9, 7\], but valid sizes range from/)
  })
})

describe('losses', () => {
  it('understand the old way to name a reduction', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    expect(new nn.MSELoss({ sizeAverage: false }).reduction).toBe('sum')
    expect(new nn.MSELoss({ reduce: false }).reduction).toBe('none')
    expect(new nn.MSELoss({ sizeAverage: true }).reduction).toBe('mean')
    expect(warn).toHaveBeenCalledTimes(3)
    warn.mockRestore()
  })

  it('keep weights as buffers', () => {
    const loss = new nn.CrossEntropyLoss(torch.ones(3))
    expect([...loss.stateDict().keys()]).toEqual(['weight'])
    expect([...new nn.CrossEntropyLoss().stateDict().keys()]).toEqual([])
    expect(loss.double().weight?.dtype).toBe(torch.float64)
  })

  it('are nan where every target is ignored', () => {
    const loss = new nn.CrossEntropyLoss({ ignoreIndex: 1 })
    expect(loss(torch.randn(2, 3), torch.tensor([1, 1])).item()).toBeNaN()
  })
})

describe('attention', () => {
  it('gives zeros for a query that may see nothing, and gradients without nan', () => {
    const q = torch.randn(1, 2, 4).requiresGrad_()
    const mask = torch.tensor([
      [true, true],
      [false, false],
    ])
    const out = F.scaledDotProductAttention(q, q, q, { attnMask: mask })
    expect(out.at(0, 1).tolist()).toEqual([0, 0, 0, 0])
    out.sum().backward()
    expect(q.grad?.isnan().any().item()).toBe(false)
    expect(() => F.scaledDotProductAttention(q, q, q, { attnMask: mask, isCausal: true })).toThrow(
      'Explicit attn_mask should not be set when is_causal=True',
    )
  })

  it('attention may have a negative scale', () => {
    const [q, k, v] = [1, 2, 3].map(() => torch.randn(2, 3, 4))
    const expected = q.matmul(k.mT).mul(-0.5).softmax(-1).matmul(v)
    expect(F.scaledDotProductAttention(q, k, v, { scale: -0.5 }).allclose(expected, { atol: 1e-6 })).toBe(
      true,
    )
  })

  it('shares heads of keys among heads of queries', () => {
    const [q, k] = [torch.randn(1, 4, 3, 2), torch.randn(1, 2, 3, 2)]
    const shared = F.scaledDotProductAttention(q, k, k, { enableGqa: true })
    const repeated = k.repeatInterleave(2, 1)
    expect(shared.equal(F.scaledDotProductAttention(q, repeated, repeated))).toBe(true)
  })

  it('is causal with a hint, with the mask, and with both', () => {
    torch.manualSeed(0)
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0, batchFirst: true })
    const x = torch.randn(2, 3, 4)
    const srcMask = nn.Transformer.generateSquareSubsequentMask(3)
    const masked = layer(x, { srcMask })
    expect(torch.allclose(layer(x, { srcMask, isCausal: true }), masked, { atol: 1e-6 })).toBe(true)
    expect(torch.allclose(layer(x), masked, { atol: 1e-6 })).toBe(false)
    // What comes later changes nothing.
    const shorter = layer(x.at(':', '0:2'), { srcMask: nn.Transformer.generateSquareSubsequentMask(2) })
    expect(torch.allclose(shorter, masked.at(':', '0:2'), { atol: 1e-6 })).toBe(true)
  })
})
