// The GPU backend's parts that need no GPU: shaders as text, sizes of buffers, what is refused.

import { describe, expect, test } from 'vitest'
import { sizeClass } from '../../src/backends/webgpu/pool.ts'
import { isSerial, renderWgsl } from '../../src/backends/webgpu/render.ts'
import { webgpuBackend } from '../../src/backends/webgpu/webgpu.ts'
import * as torch from '../../src/index.ts'
import * as k from '../../src/kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../../src/kernels/kernel.ts'
import { singlePrecision } from '../../src/kernels/single-precision.ts'

const variant = (kernel: Kernel, memories: number[]) =>
  ({
    outerRank: 1,
    loopRank: kernel.stages.some((s) => s.kind === 'loop') ? 1 : 0,
    mode: 'each',
    memories,
  }) as const

function adding(dtype: torch.DType): Kernel {
  const b = new KernelBuilder('adding')
  const [x, out] = [b.input(dtype), b.output(dtype)]
  b.write(out, k.add(b.read(x), 1))
  return b.build()
}

describe('shaders', () => {
  test('an operand that is read and written in the same memory is bound once', () => {
    const apart = renderWgsl(adding(torch.float32), variant(adding(torch.float32), [0, 1]))
    const inPlace = renderWgsl(adding(torch.float32), variant(adding(torch.float32), [0, 0]))
    expect(apart.written).toEqual([false, true])
    expect(inPlace.written).toEqual([true])
    expect(inPlace.code.match(/var<storage/g)).toHaveLength(1)
  })

  test('int64 is computed in two words', () => {
    expect(renderWgsl(adding(torch.int64), variant(adding(torch.int64), [0, 1])).code).toContain('add64(')
  })

  test('float64 operands are refused with the reason', () => {
    const kernel = adding(torch.float64)
    expect(() => renderWgsl(kernel, variant(kernel, [0, 1]))).toThrow('float64 does not exist on WebGPU')
  })

  test('f64 inside a kernel becomes f32, but not where the bits of a float64 are looked at', () => {
    const b = new KernelBuilder('wide')
    const [x, out] = [b.input(torch.float32), b.output(torch.float32)]
    b.write(out, k.cast(k.add(k.cast(b.read(x), 'f64'), 1), 'f32'))
    expect(JSON.stringify(singlePrecision(b.build()))).not.toContain('f64')

    const c = new KernelBuilder('bits')
    const [y, bits] = [c.input(torch.float32), c.output(torch.int64)]
    c.write(bits, k.bitcast(k.cast(c.read(y), 'f64'), 'i64'))
    expect(() => singlePrecision(c.build())).toThrow('bits: this computation looks at the bits of float64')
  })

  test('only positions that read what others store are computed one after the other', () => {
    const scatter = (combined: boolean) => {
      const b = new KernelBuilder('scatter')
      const out = b.output(torch.float32, 'readwrite')
      const at = [b.read(b.input(torch.int32))]
      b.write(out, combined ? k.mul(b.read(out, { at }), 2) : k.constant(2, 'f32'), { at })
      return b.build()
    }
    expect([isSerial(scatter(true)), isSerial(scatter(false))]).toEqual([true, false])
  })
})

describe('memory', () => {
  test('a buffer is at least as large as asked for, by a third at most from 1 KiB on, and of whole words', () => {
    for (let nbytes = 1; nbytes < 2 ** 30; nbytes = Math.ceil(nbytes * 1.37)) {
      const size = sizeClass(nbytes)
      expect(size).toBeGreaterThanOrEqual(nbytes)
      expect(size % 4).toBe(0)
      if (nbytes >= 1024) expect(size).toBeLessThanOrEqual(nbytes * 1.34)
    }
  })

  test('every dtype but float64 has tensors', () => {
    const refused = [torch.bool, torch.int8, torch.int64, torch.float16, torch.float32, torch.float64].filter(
      (dtype) => webgpuBackend.refusal(dtype) !== null,
    )
    expect(refused).toEqual([torch.float64])
  })
})
