// .npy and .npz files. Files that NumPy wrote, and malformed ones, are in the conformance data.

import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import type { Tensor } from '../../src/index.ts'
import * as torch from '../../src/index.ts'

const { npy } = torch

/** A .npy file with this header text. */
function fileWith(header: string, data: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(10 + header.length + data.length)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8])
  for (let i = 0; i < header.length; i++) bytes[10 + i] = header.charCodeAt(i)
  bytes.set(data, 10 + header.length)
  return bytes
}

describe('npy', () => {
  it.each([[[]], [[0]], [[3]], [[2, 3]], [[2, 0, 4]]])(
    'a tensor of shape %j is loaded as it was saved',
    (shape) => {
      const x = torch.arange(shape.reduce((a: number, b) => a * b, 1)).reshape(shape)
      const loaded = npy.load(npy.saveToBytes(x)) as Tensor
      expect([...loaded.shape]).toEqual(shape)
      expect(torch.equal(loaded, x)).toBe(true)
    },
  )

  it('the header is the one that NumPy writes', () => {
    const text = new TextDecoder('latin1').decode(npy.saveToBytes(torch.zeros(2, 3)).subarray(0, 128))
    expect(text).toBe(
      `${`\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.padEnd(127)}\n`,
    )
  })

  it('a view is saved in C order', () => {
    const loaded = npy.load(npy.saveToBytes(torch.arange(6).reshape(2, 3).t())) as Tensor
    expect(loaded.tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
  })

  it('Fortran order becomes strides, and big-endian numbers are swapped', () => {
    const header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }"
    const loaded = npy.load(fileWith(header, [0, 1, 0, 2, 0, 3, 1, 0])) as Tensor
    expect(loaded.tolist()).toEqual([
      [1, 3],
      [2, 256],
    ])
    expect(loaded.stride()).toEqual([1, 2])
  })

  it('bytes that are neither 0 nor 1 are true', () => {
    const loaded = npy.load(
      fileWith("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", [0, 1, 7]),
    ) as Tensor
    expect(loaded.tolist()).toEqual([false, true, true])
    expect(loaded.sum().item()).toBe(2)
  })

  it.each([
    ["{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", /Python objects/],
    ["{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", /records/],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", /must be a tuple/],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }", /needs 36 bytes, but 8 follow/],
    ["{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", /'descr' twice/],
    ["{'descr': '<f4', 'fortran_order': False}", /lacks/],
    ["__import__('os').system('true')", /not a dictionary/],
  ])('the header %s is refused', (header, message) => {
    const load = () => npy.load(fileWith(header, new Uint8Array(8)))
    expect(load).toThrow(torch.NpyError)
    expect(load).toThrow(message)
  })

  it('a dtype that NumPy lacks cannot be saved', () => {
    expect(() => npy.saveToBytes(torch.zeros(1, { dtype: torch.bfloat16 }))).toThrow(/NumPy has no bfloat16/)
  })
})

describe('npz', () => {
  it('tensors are loaded as they were saved, by name', () => {
    const saved = { x: torch.rand(3, 2), 'a.b': torch.arange(4) }
    const loaded = npy.load(npy.savezToBytes(saved)) as Map<string, Tensor>
    expect([...loaded.keys()]).toEqual(['x', 'a.b'])
    expect(torch.equal(loaded.get('x')!, saved.x)).toBe(true)
    expect(torch.equal(loaded.get('a.b')!, saved['a.b'])).toBe(true)
  })

  it('a zip archive of something else is refused', () => {
    const load = () => npy.load(zipSync({ 'readme.txt': new Uint8Array([1]) }))
    expect(load).toThrow(torch.NpyError)
    expect(load).toThrow("'readme.txt' is no array")
  })

  it('damage is found by the sums of the archive', () => {
    const bytes = npy.savezToBytes({ x: torch.ones(8) })
    bytes[bytes.indexOf(0x3f)] ^= 1
    expect(() => npy.load(bytes)).toThrow(torch.NpyError)
    expect(() => npy.load(bytes)).toThrow(/damaged/)
  })
})
