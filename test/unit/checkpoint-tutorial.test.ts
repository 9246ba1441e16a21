// What PyTorch's tutorial "Saving and Loading Models" does, section by section
// (https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html).

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'
import { filesFolder, hasFiles } from './serialization-expected.ts'

const { nn, optim } = torch
const { DataLoader, TensorDataset } = torch.utils.data

const folder = mkdtempSync(join(tmpdir(), 'antorcha-tutorial-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

class Classifier extends nn.Module {
  conv1 = new nn.Conv2d(1, 4, 3)
  norm = new nn.BatchNorm2d(4)
  dropout = new nn.Dropout(0.3)
  fc1 = new nn.Linear(4 * 9, 3)

  override forward(x: torch.Tensor): torch.Tensor {
    const hidden = this.norm(this.conv1(x)).relu().flatten(1)
    return this.fc1(this.dropout(hidden))
  }
}

const images = () => torch.randn(8, 1, 5, 5)

describe('saving and loading a state dict for inference', () => {
  it('the state dicts list layers and buffers, and the hyperparameters of the optimizer', () => {
    const model = new Classifier()
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.001, momentum: 0.9 })
    expect([...model.stateDict().keys()]).toEqual([
      'conv1.weight',
      'conv1.bias',
      'norm.weight',
      'norm.bias',
      'norm.running_mean',
      'norm.running_var',
      'norm.num_batches_tracked',
      'fc1.weight',
      'fc1.bias',
    ])
    torch.save(optimizer.stateDict(), at('optimizer.pt'))
    const state = torch.load<Map<string, unknown>>(at('optimizer.pt'))
    expect([...state.keys()]).toEqual(['state', 'param_groups'])
    const [group] = state.get('param_groups') as Map<string, unknown>[]
    expect([group.get('lr'), group.get('momentum'), group.get('params')]).toEqual([
      0.001,
      0.9,
      [0, 1, 2, 3, 4, 5],
    ])
  })

  it('a new model with the state gives the same outputs in evaluation mode', () => {
    const model = new Classifier()
    model(images())
    torch.save(model.stateDict(), at('model.pt'))
    const copy = new Classifier()
    expect(String(copy.loadStateDict(torch.load(at('model.pt'))))).toBe('<All keys matched successfully>')
    const x = images()
    expect(torch.equal(copy.eval()(x), model.eval()(x))).toBe(true)
  })
})

describe('saving and loading an entire model', () => {
  it.skipIf(!hasFiles)(
    'one of PyTorch is rebuilt from the layers of torch.nn, without running its code',
    () => {
      const model = torch.load<torch.nn.Sequential>(`${filesFolder}zip/module_conv_net.pt`, {
        weightsOnly: false,
      })
      expect(model).toBeInstanceOf(nn.Sequential)
      expect(model.training).toBe(false)
    },
  )

  it('saving one says to save its state dict', () => {
    expect(() => torch.save(new Classifier(), at('whole.pt'))).toThrow(
      /Classifier: save what its stateDict\(\) returns/,
    )
  })
})

describe('a general checkpoint to resume training', () => {
  const dataset = () => {
    const generator = new torch.Generator().manualSeed(1)
    return new TensorDataset(torch.randn([24, 1, 5, 5], { generator }), torch.randint(3, [24], { generator }))
  }

  /** Everything that training changes. */
  function start() {
    torch.manualSeed(7)
    const model = new Classifier()
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
    const scheduler = new optim.lrScheduler.StepLR(optimizer, 2, { gamma: 0.5 })
    return { model, optimizer, scheduler }
  }

  /** Trains for an epoch with shuffling and dropout, and returns the losses. */
  function epoch({ model, optimizer, scheduler }: ReturnType<typeof start>): number[] {
    const losses: number[] = []
    for (const [x, y] of new DataLoader(dataset(), { batchSize: 8, shuffle: true })) {
      optimizer.zeroGrad()
      const loss = nn.functional.crossEntropy(model(x), y)
      loss.backward()
      optimizer.step()
      losses.push(loss.item() as number)
    }
    scheduler.step()
    return losses
  }

  it('training goes on exactly as if it had never stopped, random numbers included', () => {
    const uninterrupted = start()
    const expected = [1, 2, 3, 4, 5].map(() => epoch(uninterrupted))

    const first = start()
    const before = [1, 2].map(() => epoch(first))
    torch.save(
      {
        epoch: 2,
        model_state_dict: first.model.stateDict(),
        optimizer_state_dict: first.optimizer.stateDict(),
        scheduler_state_dict: first.scheduler.stateDict(),
        rng_state: torch.getRngState(),
      },
      at('checkpoint.tar'),
    )

    // As in a new process: other weights, other random numbers.
    const second = start()
    torch.manualSeed(99)
    epoch(second)
    const checkpoint = torch.load<Map<string, unknown>>(at('checkpoint.tar'))
    second.model.loadStateDict(checkpoint.get('model_state_dict') as Map<string, torch.Tensor>)
    second.optimizer.loadStateDict(checkpoint.get('optimizer_state_dict') as never)
    second.scheduler.loadStateDict(checkpoint.get('scheduler_state_dict') as never)
    torch.setRngState(checkpoint.get('rng_state') as torch.Tensor)
    second.model.train()
    const after = [3, 4, 5].map(() => epoch(second))

    expect([...before, ...after]).toEqual(expected)
    for (const [name, tensor] of uninterrupted.model.stateDict())
      expect(torch.equal(second.model.stateDict().get(name)!, tensor)).toBe(true)
  })
})

it('several models are saved in one file', () => {
  const [a, b] = [new nn.Linear(2, 3), new nn.Linear(3, 1)]
  torch.save({ modelA: a.stateDict(), modelB: b.stateDict() }, at('several.tar'))
  const file = torch.load<Map<string, Map<string, torch.Tensor>>>(at('several.tar'))
  const [c, d] = [new nn.Linear(2, 3), new nn.Linear(3, 1)]
  c.loadStateDict(file.get('modelA')!)
  d.loadStateDict(file.get('modelB')!)
  const x = torch.randn(4, 2)
  expect(torch.equal(d(c(x)), b(a(x)))).toBe(true)
})

it('a model starts from part of the state of another one with strict: false', () => {
  const trained = new nn.Sequential(new nn.Linear(4, 3), new nn.ReLU(), new nn.Linear(3, 2))
  torch.save(trained.stateDict(), at('trained.pt'))
  const model = new nn.Sequential(new nn.Linear(4, 3), new nn.ReLU(), new nn.Identity(), new nn.Linear(3, 5))
  const state = torch.load<Map<string, torch.Tensor>>(at('trained.pt'))
  expect(() => model.loadStateDict(state)).toThrow(
    /Missing key.*"3\.weight"[\s\S]*Unexpected key.*"2\.weight"|Unexpected key[\s\S]*Missing key/,
  )
  const [missing, unexpected] = model.loadStateDict(state, { strict: false })
  expect(missing).toEqual(['3.weight', '3.bias'])
  expect(unexpected).toEqual(['2.weight', '2.bias'])
  expect(
    torch.equal((model.at(0) as torch.nn.Linear).weight, (trained.at(0) as torch.nn.Linear).weight),
  ).toBe(true)
})

it.skipIf(!hasFiles)('what was saved on a GPU is loaded to the CPU', () => {
  const path = `${filesFolder}hostile/tensor_location_cuda.pt`
  expect(torch.load(path)).toBeDefined()
  const asked: string[] = []
  torch.load(path, {
    mapLocation: (location) => {
      asked.push(location)
      return 'cpu'
    },
  })
  expect(asked[0]).toMatch(/^cuda/)
})
