// Checkpoints exchanged with PyTorch itself, where the environment variable PYTHON names a Python that has it.

import './serialization-cpu.ts'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Device } from '../../src/core/device.ts'
import { allDTypes, bfloat16, float32 } from '../../src/core/dtype.ts'
import { Tuple } from '../../src/core/python.ts'
import { makeSize } from '../../src/core/shape.ts'
import * as torch from '../../src/index.ts'
import { Parameter } from '../../src/nn/parameter.ts'
import { load, save } from '../../src/serialization/checkpoint.ts'
import { Complex, FrozenSet, OrderedDict } from '../../src/serialization/python-objects.ts'
import { tensorBridge } from '../../src/serialization/tensor-bridge.ts'
import { Storage } from '../../src/tensor/storage.ts'
import { type Tensor, tensorFromStorage } from '../../src/tensor/tensor.ts'
import { elementsOf } from './serialization-expected.ts'

const { PYTHON } = process.env
const folder = PYTHON === undefined ? '' : mkdtempSync(join(tmpdir(), 'antorcha-python-'))

function python(script: string, ...args: string[]): string {
  return execFileSync(PYTHON!, ['-c', script, ...args], { encoding: 'utf8' }).trim()
}

// Importing torch alone takes seconds.
describe.skipIf(PYTHON === undefined)('checkpoints exchanged with PyTorch', { timeout: 120_000 }, () => {
  afterAll(() => rmSync(folder, { recursive: true }))

  it('torch.load with weights_only reads what save writes', () => {
    const path = join(folder, 'to_python.pt')
    const w = tensorFromStorage(
      Storage.fromBytes(new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)),
      [2, 3],
      [3, 1],
      0,
      float32,
    )
    const state = new OrderedDict<string, Tensor>([
      ['w', w],
      ['column', tensorFromStorage(w.storage, [2], [3], 1, float32)],
      ['p', new Parameter(tensorFromStorage(Storage.fromBytes(new Uint8Array(4)), [2], [1], 0, bfloat16))],
    ])
    state._metadata = new OrderedDict([['', new Map([['version', 2]])]])
    save(
      {
        state,
        again: state,
        ints: [0, -1, 2 ** 40, 2n ** 70n, -(2n ** 70n)],
        floats: [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY],
        values: Tuple.of(
          null,
          true,
          'ñ𝄞\0',
          new Uint8Array([0, 255]),
          new Set([1]),
          makeSize([2]),
          new Device('cpu'),
        ),
        keys: new Map<unknown, unknown>([
          [1, 'a'],
          [Tuple.of(1, 2), 'b'],
          ['__proto__', 'c'],
        ]),
        complex: new Complex(1, -2),
        dtypes: allDTypes,
        many: Array.from({ length: 2500 }, (_, i) => [`item ${i}`]),
      },
      path,
    )
    const script = `
import torch, sys, math
c = torch.load(sys.argv[1], weights_only=True)
s = c['state']
assert type(s).__name__ == 'OrderedDict' and c['again'] is s and s._metadata[''] == {'version': 2}
assert s['w'].tolist() == [[1, 2, 3], [4, 5, 6]] and s['column'].tolist() == [2, 5] and s['column'].stride() == (3,)
assert s['w'].untyped_storage().data_ptr() == s['column'].untyped_storage().data_ptr()
assert type(s['p']) is torch.nn.Parameter and s['p'].requires_grad and s['p'].dtype is torch.bfloat16
assert c['ints'] == [0, -1, 2**40, 2**70, -2**70] and all(type(i) is int for i in c['ints'])
assert c['floats'][0] == 0.1 and math.copysign(1, c['floats'][1]) == -1 and c['floats'][2] != c['floats'][2]
assert c['values'] == (None, True, 'ñ𝄞\\0', b'\\0\\xff', {1}, torch.Size([2]), torch.device('cpu'))
assert c['keys'] == {1: 'a', (1, 2): 'b', '__proto__': 'c'} and c['complex'] == 1 - 2j
assert [str(d) for d in c['dtypes']] == ['torch.' + n for n in sys.argv[2].split(',')]
assert c['many'] == [[f'item {i}'] for i in range(2500)]
print('same')`
    expect(python(script, path, allDTypes.map((d) => d.name).join())).toBe('same')
  })

  it('load reads what torch.save writes, in both formats', () => {
    const script = `
import torch, sys
m = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
torch.manual_seed(0)
o = torch.optim.Adam(m.parameters())
m(torch.randn(4, 3)).sum().backward(); o.step()
obj = {'model': m.state_dict(), 'optimizer': o.state_dict(), 'big': 2**100, 'frozen': frozenset([1])}
torch.save(obj, sys.argv[1])
torch.save(obj, sys.argv[2], _use_new_zipfile_serialization=False)
print(m.state_dict()['0.weight'].numpy().tobytes().hex())`
    const paths = [join(folder, 'zip.pt'), join(folder, 'legacy.pt')]
    const hex = python(script, ...paths)
    for (const path of paths) {
      const checkpoint = load<Map<string, unknown>>(path)
      const model = checkpoint.get('model') as OrderedDict<string, Tensor>
      expect(Buffer.from(elementsOf(tensorBridge, model.get('0.weight')!)).toString('hex')).toBe(hex)
      expect((model._metadata as Map<string, Map<string, number>>).get('1')!.get('version')).toBe(2)
      expect(checkpoint.get('big')).toBe(2n ** 100n)
      expect(checkpoint.get('frozen')).toEqual(new FrozenSet([1]))
    }
  })

  it('what was loaded and saved again is the same file, but for its id', () => {
    const [original, copy] = [join(folder, 'original.pt'), join(folder, 'copy.pt')]
    const script = `
import torch, sys
torch.save({'a': torch.arange(10.), 'b': [torch.zeros(3, dtype=torch.int64), 'x', 0.5, 7, None]}, sys.argv[1])`
    python(script, original)
    save(load(original), copy)
    const compare = `
import sys, zipfile
a, b = (zipfile.ZipFile(p) for p in sys.argv[1:])
strip = lambda z: [(i.filename.split('/', 1)[1], z.read(i), i.file_size) for i in z.infolist() if 'serialization_id' not in i.filename]
assert strip(a) == strip(b)
print('same')`
    expect(python(compare, original, copy)).toBe('same')
  })

  it('safetensors.torch and NumPy read what is written for them, byte for byte their own files', () => {
    const tensors = {
      w: torch.arange(6).reshape(2, 3),
      half: torch.tensor([1.5, -2], { dtype: torch.float16 }),
      b: torch.tensor([true, false]),
      one: torch.tensor(0.5, { dtype: torch.float64 }),
      'ñ "q"': torch.tensor([1, 2], { dtype: torch.bfloat16 }),
    }
    const paths = ['x.safetensors', 'x.npy', 'x.npz'].map((name) => join(folder, name))
    torch.safetensors.saveFile(tensors, paths[0], { metadata: { format: 'pt' } })
    torch.npy.save(tensors.w, paths[1])
    torch.npy.savez({ w: tensors.w, one: tensors.one, b: tensors.b }, paths[2])
    const script = `
import io, sys, numpy, torch, safetensors.torch as st
s = st.load_file(sys.argv[1])
assert s['w'].tolist() == [[0, 1, 2], [3, 4, 5]] and s['half'].tolist() == [1.5, -2] and s['b'].tolist() == [True, False]
assert s['one'].tolist() == 0.5 and s['ñ "q"'].dtype is torch.bfloat16
assert st.save(s, metadata={'format': 'pt'}) == open(sys.argv[1], 'rb').read()
x = numpy.load(sys.argv[2])
assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
out = io.BytesIO(); numpy.save(out, x); assert out.getvalue() == open(sys.argv[2], 'rb').read()
z = numpy.load(sys.argv[3])
assert z['w'].tolist() == x.tolist() and float(z['one']) == 0.5 and z['b'].dtype == bool
print('same')`
    expect(python(script, ...paths)).toBe('same')
  })
})
