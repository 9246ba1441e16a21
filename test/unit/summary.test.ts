// torch.summary: its table and totals, and that a model is as before afterwards. The figures are those of Python's
// torchinfo for the same models, but for the input, of which it also counts Python's own bookkeeping.

import { expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch

class Net extends nn.Module {
  conv1 = new nn.Conv2d(1, 10, 5)
  bn = new nn.BatchNorm2d(10)
  fc = new nn.Linear(1440, 10)
  scale = new nn.Parameter(torch.ones(3))
  override forward(x: torch.Tensor): torch.Tensor {
    return this.fc(nn.functional.maxPool2d(this.bn(this.conv1(x)), 2).flatten(1))
  }
}

test('a table has the layers, their output shapes and parameters, and the totals below', () => {
  expect(`\n${torch.summary(new Net(), [7, 1, 28, 28], { colWidth: 20 })}\n`).toBe(`
================================================================================
Layer (type:depth-idx)                   Output Shape         Param #
================================================================================
Net                                      [7, 10]              3
├─Conv2d: 1-1                            [7, 10, 24, 24]      260
├─BatchNorm2d: 1-2                       [7, 10, 24, 24]      20
├─Linear: 1-3                            [7, 10]              14,410
================================================================================
Total params: 14,693
Trainable params: 14,693
Non-trainable params: 0
Total mult-adds (M): 1.15
================================================================================
Input size (kB): 21.95
Forward/backward pass size (kB): 645.68
Params size (kB): 58.77
Estimated Total Size (kB): 726.40
================================================================================
`)
})

test('all columns can be asked for, in any order', () => {
  const colNames = ['kernelSize', 'groups', 'inputSize', 'paramsPercent', 'multAdds', 'trainable'] as const
  const lines = String(torch.summary(new Net(), [7, 1, 28, 28], { colNames, colWidth: 18 })).split('\n')
  expect(lines[4].split(/ {2,}/)).toEqual([
    '├─Conv2d: 1-1',
    '[5, 5]',
    '1',
    '[7, 1, 28, 28]',
    '1.77%',
    '1,048,320',
    'True',
  ])
})

test('the totals are numbers of the result', () => {
  const result = torch.summary(new Net(), [7, 1, 28, 28])
  expect(result).toMatchObject({
    totalParams: 14693,
    trainableParams: 14693,
    totalMultAdds: 1_048_320 + 140 + 100_870,
    totalInputBytes: 7 * 28 * 28 * 4,
    totalParamBytes: 14693 * 4,
  })
  expect(result.layers.map(({ name }) => name)).toEqual(['', 'conv1', 'bn', 'fc'])
})

test('the parameters of the lesson are counted: 31 and 46', () => {
  expect(torch.summary(new nn.Sequential(new nn.Linear(1, 10), new nn.Linear(10, 1))).totalParams).toBe(31)
  const deeper = new nn.Sequential(new nn.Linear(1, 5), new nn.Linear(5, 5), new nn.Linear(5, 1))
  expect(torch.summary(deeper).totalParams).toBe(46)
})

class Shared extends nn.Module {
  layers = new nn.ModuleList([
    new nn.Linear(5, 5),
    new nn.Sequential(new nn.Linear(5, 5), new nn.ReLU()),
    new nn.Linear(5, 5),
  ])
  override forward(x: torch.Tensor): torch.Tensor {
    for (const layer of this.layers) x = (layer as torch.nn.Layer)(x)
    return (this.layers.at(0) as torch.nn.Layer)(x)
  }
}

test('a layer that runs twice has two rows and counts once; its multiply-adds count twice', () => {
  const result = torch.summary(new Shared(), [1, 5])
  expect(result).toMatchObject({ totalParams: 90, totalMultAdds: 120 })
  const rows = String(result)
    .split('\n')
    .filter((line) => /─/.test(line))
    .map((line) => line.split(/ {5,}/))
  expect(rows).toEqual([
    ['├─ModuleList: 1-1', '--', '--'],
    ['│    └─Linear: 2-1', '[1, 5]', '30'],
    ['│    └─Sequential: 2-2', '[1, 5]', '--'],
    ['│    │    └─Linear: 3-1', '[1, 5]', '30'],
    ['│    │    └─ReLU: 3-2', '[1, 5]', '--'],
    ['│    └─Linear: 2-3', '[1, 5]', '30'],
    ['│    └─Linear: 2-4', '[1, 5]', '(recursive)'],
  ])
})

test('depth leaves out deeper layers, whose numbers go to the last one shown', () => {
  const colNames = ['numParams', 'multAdds'] as const
  const lines = String(torch.summary(new Shared(), [1, 5], { depth: 1, colNames })).split('\n')
  expect(lines.slice(3, 5).map((line) => line.split(/ {5,}/))).toEqual([
    ['Shared', '--', '--'],
    ['├─ModuleList: 1-1', '90', '120'],
  ])
})

test('frozen layers are in parentheses and not trainable', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1))
  model[0].requiresGrad_(false)
  const result = torch.summary(model, [1, 2])
  expect(result).toMatchObject({ totalParams: 13, trainableParams: 4 })
  expect(String(result)).toContain('(9)')
})

test('several inputs, integer inputs, recurrent layers', () => {
  class Tagger extends nn.Module {
    embedding = new nn.Embedding(20, 300)
    encoder = new nn.LSTM(300, 512, { numLayers: 2, batchFirst: true })
    decoder = new nn.Linear(512, 20)
    override forward(words: torch.Tensor, scale: torch.Tensor): torch.Tensor {
      const [output] = this.encoder(this.embedding(words))
      return this.decoder(output).mul(scale)
    }
  }
  const options = { dtypes: [torch.int64, torch.float32] }
  const result = torch.summary(new Tagger(), [[1, 100], [1]], options)
  expect(result).toMatchObject({ totalParams: 3_784_580, totalMultAdds: 6000 + 376_832_000 + 1_026_000 })
  expect(result.layers.map(({ outputSize }) => outputSize)).toEqual([
    [1, 100, 20],
    [1, 100, 300],
    [1, 100, 512],
    [1, 100, 20],
  ])
})

test('an input itself may be passed, and the names of fields be shown', () => {
  const result = torch.summary(new Net(), torch.zeros(2, 1, 28, 28), { rowSettings: ['varNames'] })
  expect(String(result)).toMatch(/^├─Linear \(fc\) +\[2, 10\] +14,410$/m)
})

test('nothing is different afterwards: running statistics, modes, random numbers, hooks', () => {
  const model = new nn.Sequential(new nn.BatchNorm1d(4), new nn.Dropout(0.5))
  model[1].eval()
  torch.manualSeed(3)
  const expected = torch.rand(2).tolist()
  torch.manualSeed(3)
  torch.summary(model, [8, 4], { mode: 'train' })
  expect(torch.rand(2).tolist()).toEqual(expected)
  expect((model[0] as torch.nn.BatchNorm1d).running_mean?.tolist()).toEqual([0, 0, 0, 0])
  expect((model[0] as torch.nn.BatchNorm1d).num_batches_tracked?.item()).toBe(0)
  expect([...model.modules()].map((m) => m.training)).toEqual([true, true, false])
})

test('lazy layers are initialised and shown as what they have become', () => {
  const model = new nn.Sequential(new nn.LazyLinear(3), new nn.LazyLinear(2))
  expect(torch.summary(model).totalParams).toBe(0)
  expect(String(torch.summary(model, [5, 4]))).toMatch(/^├─Linear: 1-1 +\[5, 3\] +15$/m)
})

test('a model that cannot be called says which layers ran, and keeps its error as the cause', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU())
  model.append(new nn.Linear(7, 1))
  expect(() => torch.summary(model, [1, 2])).toThrow(
    /Sequential cannot be called[\s\S]*ran: 0 \(Linear\), 1 \(ReLU\)/,
  )
  expect(() => model(torch.ones(1, 2))).toThrow(/mat1 and mat2/)
})

test('wrong options are named', () => {
  const model = new nn.Linear(2, 1)
  expect(() => torch.summary(model, [0, 2])).toThrow(/takes the sizes of the input/)
  // @ts-expect-error there is no such column
  expect(() => torch.summary(model, [1, 2], { colNames: ['params'] })).toThrow(/colNames knows kernelSize/)
  // @ts-expect-error there is no such option
  expect(() => torch.summary(model, [1, 2], { colname: [] })).toThrow(/did you mean 'colNames'/)
})
