// Whole modules in checkpoints: rebuilt from known classes only. Files that PyTorch wrote are in the conformance data.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'
import { findModuleGlobal } from '../../src/serialization/module-objects.ts'
import { unpickle } from '../../src/serialization/pickle-reader.ts'
import { pickle } from '../../src/serialization/pickle-writer.ts'
import { tensorBridge } from '../../src/serialization/tensor-bridge.ts'
import { filesFolder, hasFiles } from './serialization-expected.ts'

/** The pickle of an object of a class with this state; tensors in it are in `storages`. */
function pickled(className: string, state: Record<string, unknown>): unknown {
  const { pickle: body, storages } = pickle(state, tensorBridge.describe)
  const dot = className.lastIndexOf('.')
  const head = `\x80\x02c${className.slice(0, dot)}\n${className.slice(dot + 1)}\n)\x81`
  const bytes = Buffer.concat([
    Buffer.from(head, 'latin1'),
    Buffer.from(body).subarray(2, -1),
    Buffer.from('b.', 'latin1'),
  ])
  return unpickle(bytes, {
    name: 'test',
    tensors: tensorBridge,
    extraGlobals: findModuleGlobal,
    copyToStorage: () => torch.zeros(1).storage,
    persistentLoad: ([, type, key, , size]) =>
      new torch.TypedStorage(
        storages[Number(key)],
        (type as { storageType: { dtypeName: string } }).storageType.dtypeName,
        4,
        size as number,
        torch.float32,
      ),
  }).value
}

const linear = 'torch.nn.modules.linear.Linear'
const weight = () => new torch.nn.Parameter(torch.ones(2, 3))

describe('a module of torch.nn', () => {
  it('is made by the class of this library, with the parameters of the file', () => {
    const before = torch.getRngState()
    const module = pickled(linear, {
      in_features: 3,
      out_features: 2,
      training: false,
      _parameters: { weight: weight(), bias: null },
    }) as torch.nn.Linear
    expect(module).toBeInstanceOf(torch.nn.Linear)
    expect(String(module)).toBe('Linear(in_features=3, out_features=2, bias=False)')
    expect(module.training).toBe(false)
    expect(module(torch.ones(3)).tolist()).toEqual([3, 3])
    expect(torch.equal(torch.getRngState(), before)).toBe(true)
  })

  it('prints ints as ints where PyTorch would print floats by default', () => {
    const softplus = pickled('torch.nn.modules.activation.Softplus', { beta: 1, threshold: 20.5 })
    expect(String(softplus)).toBe('Softplus(beta=1, threshold=20.5)')
    expect(String(torch.deepcopy(softplus))).toBe('Softplus(beta=1, threshold=20.5)')
    expect((softplus as torch.nn.Softplus)(torch.zeros(1)).item()).toBeCloseTo(Math.log(2), 6)
  })

  it.each([
    ['a class that is not known', '__main__.Net', {}, /__main__\.Net/],
    [
      'a name in a module of torch.nn that is no layer',
      'torch.nn.modules.linear.constructor',
      {},
      /Unsupported global/,
    ],
    [
      'a missing attribute',
      linear,
      { in_features: 3 },
      /cannot rebuild Linear: the attribute 'out_features' is missing/,
    ],
    [
      'a missing parameter',
      linear,
      { in_features: 3, out_features: 2, _parameters: {} },
      /cannot rebuild Linear: 'weight' is missing/,
    ],
    [
      'a name that objects inherit',
      linear,
      { in_features: 3, out_features: 2, _parameters: { weight: weight(), constructor: weight() } },
      /cannot rebuild Linear: attribute 'constructor' already exists/,
    ],
    [
      'hooks',
      linear,
      { in_features: 3, out_features: 2, _forward_hooks: { 1: 'f' }, _parameters: { weight: weight() } },
      /it has hooks/,
    ],
    [
      'more layers than parameters',
      'torch.nn.modules.rnn.LSTM',
      { input_size: 1, hidden_size: 1, num_layers: 1e9, _parameters: {} },
      /num_layers is 1000000000, but there are 0 parameters/,
    ],
    [
      'a child that is no module',
      'torch.nn.modules.container.Sequential',
      { _modules: { 0: 5 } },
      /'0' is int/,
    ],
  ])('%s is refused', (_, className, state, message) => {
    expect(() => pickled(className, state)).toThrow(torch.UnpicklingError)
    expect(() => pickled(className, state)).toThrow(message)
  })

  it('getattr reaches nothing but the hooks of lazy modules', () => {
    const bytes = Buffer.from(
      '\x80\x02cbuiltins\ngetattr\nctorch.nn.modules.linear\nLinear\n)\x81X\x0b\0\0\0constructor\x86R.',
      'latin1',
    )
    const options = {
      name: 'test',
      tensors: tensorBridge,
      extraGlobals: findModuleGlobal,
      copyToStorage: () => ({}),
      persistentLoad: () => null,
    }
    expect(() => unpickle(bytes, options)).toThrow(/for the hooks of lazy modules only/)
  })
})

describe.skipIf(!hasFiles)('files of PyTorch', () => {
  it('whole modules need weightsOnly: false, and the error says so', () => {
    const path = `${filesFolder}zip/module_linear.pt`
    expect(() => torch.load(path)).toThrow(
      /GLOBAL torch\.nn\.modules\.linear\.Linear.*\{ weightsOnly: false \}/,
    )
    expect(torch.load(path, { weightsOnly: false })).toBeInstanceOf(torch.nn.Linear)
  })

  it('tied weights stay tied', () => {
    const model = torch.load<torch.nn.Sequential>(`${filesFolder}zip/module_tied.pt`, { weightsOnly: false })
    const parameters = [...model.namedParameters({ removeDuplicate: false })]
    expect(new Set(parameters.map(([, parameter]) => parameter)).size).toBeLessThan(parameters.length)
  })

  it('a lazy module is still lazy, and can be used', () => {
    const model = torch.load<torch.nn.Sequential>(`${filesFolder}zip/module_lazy.pt`, { weightsOnly: false })
    expect([...(model(torch.ones(2, 5)) as torch.Tensor).shape]).toEqual([2, 3])
  })

  it('the tensors of a TorchScript archive come as a state dict', () => {
    const path = `${filesFolder}other/torchscript_script.pt`
    expect(() => torch.load(path)).toThrow(/TorchScript.*\{ weightsOnly: false \}/)
    const state = torch.load<Map<string, torch.Tensor>>(path, { weightsOnly: false })
    expect(state).toBeInstanceOf(torch.OrderedDict)
    expect([...state.keys()]).toEqual(['0.weight', '0.bias'])
    expect([...state.get('0.weight')!.shape]).toEqual([2, 2])
  })
})

const { PYTHON } = process.env

// Importing torch alone takes seconds.
describe.skipIf(PYTHON === undefined)('modules that PyTorch pickles now', { timeout: 120_000 }, () => {
  it('are printed as in PyTorch and compute the same', () => {
    const folder = mkdtempSync(join(tmpdir(), 'antorcha-modules-'))
    try {
      const script = `
import json, sys, torch
from torch import nn
torch.manual_seed(0)
models = [
  nn.Sequential(nn.Conv2d(1, 4, 3, padding='same', bias=False), nn.BatchNorm2d(4), nn.PReLU(), nn.Flatten(), nn.Linear(64, 2)),
  nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, activation='gelu', norm_first=True), 2, norm=nn.LayerNorm(4)),
  nn.Sequential(nn.Unflatten(1, (2, 2)), nn.MaxPool1d(2), nn.GELU('tanh'), nn.GroupNorm(1, 2)),
]
inputs = [torch.randn(2, 1, 4, 4), torch.randn(3, 2, 4), torch.randn(2, 4)]
out = []
for i, (model, x) in enumerate(zip(models, inputs)):
    model.eval()
    torch.save([model, x, model(x).detach()], f'{sys.argv[1]}/{i}.pt')
    out.append(repr(model))
print(json.dumps(out))`
      const texts = JSON.parse(
        execFileSync(PYTHON!, ['-W', 'ignore', '-c', script, folder], { encoding: 'utf8' }),
      )
      for (const [i, text] of texts.entries()) {
        const [model, x, y] = torch.load<[torch.nn.Sequential, torch.Tensor, torch.Tensor]>(
          join(folder, `${i}.pt`),
          { weightsOnly: false },
        )
        expect(String(model)).toBe(text)
        expect(torch.allclose(model(x) as torch.Tensor, y, { rtol: 1e-5, atol: 1e-6 })).toBe(true)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
