// torch.save and torch.load with real tensors: sharing, views, parameters, paths, atomic writing, and the errors.

import './serialization-cpu.ts'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allDTypes, type DType, float32, int64, uint8 } from '../../src/core/dtype.ts'
import { Tuple } from '../../src/core/python.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { StateDict } from '../../src/nn/state-dict.ts'
import { MemorySource } from '../../src/serialization/byte-source.ts'
import { load, loadAsync, save, saveAsync, saveToBytes } from '../../src/serialization/checkpoint.ts'
import { FileError, UnpicklingError } from '../../src/serialization/errors.ts'
import { OrderedDict } from '../../src/serialization/python-objects.ts'
import { readCheckpoint } from '../../src/serialization/read-checkpoint.ts'
import { tensorBridge } from '../../src/serialization/tensor-bridge.ts'
import { Storage } from '../../src/tensor/storage.ts'
import { type Tensor, tensorFromStorage } from '../../src/tensor/tensor.ts'
import { elementsOf } from './serialization-expected.ts'
import { PlainStorage, plainBridge } from './serialization-plain-tensors.ts'

/** A contiguous tensor of these bytes. */
function tensorOf(bytes: Uint8Array, dtype: DType, sizes: number[], strides?: number[], offset = 0): Tensor {
  const dense = sizes.map((_, i) => sizes.slice(i + 1).reduce((a, b) => a * b, 1))
  return tensorFromStorage(Storage.fromBytes(bytes), sizes, strides ?? dense, offset, dtype)
}

const floats = (...values: number[]) =>
  tensorOf(new Uint8Array(Float32Array.from(values).buffer), float32, [values.length])

const valuesOf = (t: Tensor) => Array.from(new Float32Array(elementsOf(tensorBridge, t).buffer))

const roundTrip = <T>(value: T): T => load<T>(saveToBytes(value))

describe('tensors in checkpoints', () => {
  it.each(allDTypes.map((dtype) => [dtype.name, dtype] as const))('%s keeps its bits', (_, dtype) => {
    const bytes = Uint8Array.from({ length: 6 * dtype.itemsize }, (_, i) =>
      dtype.kind === 'bool' ? i & 1 : i * 37,
    )
    const result = roundTrip(tensorOf(bytes, dtype, [2, 3]))
    expect(result.dtype).toBe(dtype)
    expect([...result.sizes]).toEqual([2, 3])
    expect(elementsOf(tensorBridge, result)).toEqual(bytes)
  })

  it('tensors without dimensions and without elements', () => {
    const { scalar, empty } = roundTrip2({
      scalar: tensorOf(new Uint8Array(4), float32, []),
      empty: tensorOf(new Uint8Array(0), int64, [0, 3]),
    })
    expect([...scalar.sizes]).toEqual([])
    expect([...empty.sizes]).toEqual([0, 3])
    expect(empty.dtype).toBe(int64)
  })

  it('views of one storage share it again, with their strides and offsets', () => {
    const base = floats(0, 1, 2, 3, 4, 5)
    const view = tensorFromStorage(base.storage, [2, 2], [1, 3], 1, float32)
    const result = roundTrip2({ base, view })
    expect(result.view.storage === result.base.storage).toBe(true)
    expect(valuesOf(result.view)).toEqual([1, 4, 2, 5])
    result.base.storage.bytes().set(new Uint8Array(Float32Array.of(99).buffer), 4)
    expect(valuesOf(result.view)[0]).toBe(99)
  })

  it('a small view drags its whole storage along, as in PyTorch', () => {
    const large = tensorOf(new Uint8Array(4000), float32, [1000])
    const view = tensorFromStorage(large.storage, [2], [1], 5, float32)
    expect(roundTrip(view).storage.nbytes).toBe(4000)
    expect(saveToBytes(view).length).toBeGreaterThan(4000)
    expect(saveToBytes([large, view]).length - saveToBytes([view]).length).toBeLessThan(1000)
  })

  it('the same tensor twice is one tensor again, different ones stay different', () => {
    const t = floats(1, 2)
    const [a, b, c] = roundTrip([t, t, floats(1, 2)])
    expect(a === b).toBe(true)
    expect(c === a).toBe(false)
    expect(c.storage === a.storage).toBe(false)
  })

  it('parameters come back as parameters, frozen ones frozen', () => {
    const result = roundTrip2({
      p: new Parameter(floats(1, 2)),
      frozen: new Parameter(floats(3), { requiresGrad: false }),
      plain: floats(4),
      leaf: floats(5).requiresGrad_(),
    })
    expect(result.p).toBeInstanceOf(Parameter)
    expect(result.p.requiresGrad).toBe(true)
    expect(result.frozen).toBeInstanceOf(Parameter)
    expect(result.frozen.requiresGrad).toBe(false)
    expect(result.plain).not.toBeInstanceOf(Parameter)
    expect(result.plain.requiresGrad).toBe(false)
    expect(result.leaf.requiresGrad).toBe(true)
    expect(result.leaf).not.toBeInstanceOf(Parameter)
  })

  it('the layout of a training checkpoint', () => {
    const state = new OrderedDict([['0.weight', floats(1, 2, 3)]])
    state._metadata = new OrderedDict([['', new Map([['version', 1]])]])
    const checkpoint = load<Map<string, unknown>>(
      saveToBytes({
        epoch: 5,
        model_state_dict: state,
        optimizer_state_dict: {
          state: new Map([[0, { step: floats(3), exp_avg: floats(0.5) }]]),
          param_groups: [{ lr: 0.001, betas: Tuple.of(0.9, 0.999), params: [0] }],
        },
        loss: 0.25,
      }),
    )
    expect(checkpoint.get('epoch')).toBe(5)
    const loaded = checkpoint.get('model_state_dict') as OrderedDict<string, Tensor>
    expect(valuesOf(loaded.get('0.weight')!)).toEqual([1, 2, 3])
    expect(loaded._metadata).toEqual(state._metadata)
    const optimizer = checkpoint.get('optimizer_state_dict') as Map<string, Map<number, Map<string, Tensor>>>
    expect(valuesOf(optimizer.get('state')!.get(0)!.get('step')!)).toEqual([3])
  })

  it('a state dict comes back as an OrderedDict with its _metadata', () => {
    const state = new StateDict([['weight', floats(1, 2)]])
    state._metadata.set('', new Map([['version', 1]]))
    const result = load<OrderedDict<string, Tensor>>(saveToBytes(state))
    expect(result).toBeInstanceOf(OrderedDict)
    expect([...result.keys()]).toEqual(['weight'])
    expect((result._metadata as StateDict['_metadata']).get('')).toEqual(new Map([['version', 1]]))
  })

  it('memory is given back when loading fails', () => {
    const bytes = saveToBytes([floats(1, 2), tensorOf(new Uint8Array(100).fill(171), uint8, [100])])
    bytes[Buffer.from(bytes).indexOf(new Uint8Array(100).fill(171)) + 50] = 0
    const storages: PlainStorage[] = []
    const bridge = {
      ...plainBridge,
      allocate: (nbytes: number) => {
        storages.push(new PlainStorage(new Uint8Array(nbytes)))
        return storages[storages.length - 1]
      },
    }
    expect(() => readCheckpoint(new MemorySource(bytes), { bridge })).toThrow("'archive/data/1' is damaged")
    expect(storages.map((s) => s.freed)).toEqual([true, true])
  })

  it('one storage under two dtypes is refused with the words of PyTorch', () => {
    const t = floats(1, 2)
    const bits = tensorFromStorage(t.storage, [1], [1], 0, int64)
    expect(() => saveToBytes([t, bits])).toThrow(
      'Cannot save multiple tensors or storages that view the same data as different types',
    )
  })

  function roundTrip2<T extends Record<string, Tensor>>(value: T): T {
    return Object.fromEntries(load<Map<string, Tensor>>(saveToBytes(value))) as T
  }
})

describe('files', () => {
  let folder: string
  const path = (name: string) => join(folder, name)

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'antorcha-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('a file is written and read by path and by file: URL', () => {
    save({ w: floats(1, 2, 3) }, path('a.pt'))
    expect(valuesOf(load<Map<string, Tensor>>(path('a.pt')).get('w')!)).toEqual([1, 2, 3])
    const url = pathToFileURL(path('b c.pt'))
    save([floats(7)], url)
    expect(valuesOf(load<Tensor[]>(url)[0])).toEqual([7])
  })

  it('the root of the archive is the name of the file', () => {
    save(1, path('mlp.best.pt'))
    expect(readFileSync(path('mlp.best.pt'), 'latin1')).toContain('mlp.best/data.pkl')
    expect(Buffer.from(saveToBytes(1)).toString('latin1')).toContain('archive/data.pkl')
  })

  it('a failed save leaves the old file and nothing else', () => {
    mkdirSync(path('atomic'))
    save('old', path('atomic/x.pt'))
    expect(() => save({ f: () => 1 }, path('atomic/x.pt'))).toThrow(TypeError)
    expect(load(path('atomic/x.pt'))).toBe('old')
    expect(readdirSync(path('atomic'))).toEqual(['x.pt'])
  })

  it('a save that fails half-way through writing leaves the old file and nothing else', () => {
    mkdirSync(path('half'))
    save('old', path('half/x.pt'))
    const t = floats(1, 2)
    const broken = new Proxy(t.storage, {
      get: (target, key) => {
        if (key === 'bytes')
          return () => {
            throw new Error('disk on fire')
          }
        const value = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const tensor = tensorFromStorage(broken, [2], [1], 0, float32)
    expect(() => save([tensor], path('half/x.pt'))).toThrow('disk on fire')
    expect(load(path('half/x.pt'))).toBe('old')
    expect(readdirSync(path('half'))).toEqual(['x.pt'])
  })

  it('replacing a file keeps its mode, and a symbolic link stays one', () => {
    save(1, path('mode.pt'))
    chmodSync(path('mode.pt'), 0o640)
    symlinkSync(path('mode.pt'), path('link.pt'))
    save(2, path('link.pt'))
    expect(load(path('mode.pt'))).toBe(2)
    expect(statSync(path('mode.pt')).mode & 0o777).toBe(0o640)
  })

  it('says which file is missing, is a folder, or cannot be written', () => {
    expect(() => load(path('none.pt'))).toThrow(FileError)
    expect(() => load(path('none.pt'))).toThrow(`cannot open '${path('none.pt')}': No such file or directory`)
    expect(() => load(folder)).toThrow('is a directory')
    expect(() => save(1, folder)).toThrow('is a directory')
    expect(() => save(1, path('no/such/folder/x.pt'))).toThrow(FileError)
  })

  it('names the file in what it says about its contents', () => {
    writeFileSync(path('notes.pt'), 'hello')
    expect(() => load(path('notes.pt'))).toThrow(UnpicklingError)
    expect(() => load(path('notes.pt'))).toThrow(
      `${path('notes.pt')}: not a checkpoint of torch.save, but a text file`,
    )
  })

  it('Blobs, Responses, streams and array buffers', async () => {
    const bytes = saveToBytes(['x', 1])
    for (const source of [
      bytes.buffer,
      new Blob([bytes]),
      new File([bytes], 'x.pt'),
      new Response(bytes),
      new Blob([bytes]).stream(),
    ])
      expect(await loadAsync(source)).toEqual(['x', 1])
    await saveAsync(['y'], path('async.pt'))
    expect(await loadAsync(path('async.pt'))).toEqual(['y'])
  })

  it("the browser's file handles", async () => {
    let content: Uint8Array = new Uint8Array(0)
    const handle = {
      name: 'model.pt',
      getFile: async () => new File([new Uint8Array(content)], 'model.pt'),
      createWritable: async () => {
        let pending: Uint8Array = new Uint8Array(0)
        return {
          write: async (data: Uint8Array) => {
            pending = data
          },
          close: async () => {
            content = pending
          },
          abort: async () => {},
        }
      },
    }
    await saveAsync({ w: floats(1) }, handle)
    expect(valuesOf((await loadAsync<Map<string, Tensor>>(handle)).get('w')!)).toEqual([1])
  })
})

describe('options', () => {
  const bytes = saveToBytes([1])

  it('weightsOnly is true or false', () => {
    expect(load(bytes, { weightsOnly: true })).toEqual([1])
    expect(load(bytes, { weightsOnly: false })).toEqual([1])
    // @ts-expect-error it is a boolean
    expect(() => load(bytes, { weightsOnly: 'no' })).toThrow('weightsOnly must be a boolean, but is no')
  })

  it('unknown options are named', () => {
    // @ts-expect-error there is no such option
    expect(() => load(bytes, { map_location: 'cpu' })).toThrow(
      "unknown option 'map_location'; there are mapLocation",
    )
  })

  it('mapLocation: a device, by position or name, a Map, an object, a function', () => {
    const saved = saveToBytes(floats(3))
    const seen: string[] = []
    const mappings = [
      'cpu',
      { 'cuda:0': 'cpu' },
      new Map([['cpu', 'cpu']]),
      (location: string) => {
        seen.push(location)
        return 'cpu'
      },
    ]
    for (const mapLocation of mappings) expect(valuesOf(load<Tensor>(saved, { mapLocation }))).toEqual([3])
    expect(valuesOf(load<Tensor>(saved, 'cpu'))).toEqual([3])
    expect(seen).toEqual(['cpu'])
    const empty = load<Tensor>(saved, { mapLocation: 'meta' })
    expect([String(empty.device), [...empty.sizes]]).toEqual(['meta', [1]])
    expect(() => load(saved, { mapLocation: 'cuda' })).toThrow(
      "loading to the device 'cuda' is not supported",
    )
  })

  it('what cannot be read synchronously is sent to loadAsync', () => {
    expect(() => load('https://example.com/x.pt')).toThrow('use await loadAsync')
    // @ts-expect-error a Blob takes time
    expect(() => load(new Blob([bytes]))).toThrow('read by loadAsync')
  })
})
