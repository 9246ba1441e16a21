// Every kernel that the ten operations launch is rendered to WGSL and compiled by Dawn's shader compiler.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { renderAttention } from '../../src/backends/webgpu/attention.ts'
import { noFeatures } from '../../src/backends/webgpu/device.ts'
import { renderProduct } from '../../src/backends/webgpu/product.ts'
import { isShareable, renderWgsl, type Shader } from '../../src/backends/webgpu/render.ts'
import { assemble } from '../../src/backends/webgpu/shader-text.ts'
import * as torch from '../../src/index.ts'
import type { Kernel } from '../../src/kernels/kernel.ts'
import { contractionKernel } from '../../src/ops/matmul.ts'
import { checkLaunches } from '../support/checking-backend.ts'
import { everyDType, Random, tenOps } from '../support/ten-ops.ts'

/** The compiler's errors for each shader. */
function compile(codes: readonly string[]): string[][] {
  const script = fileURLToPath(new URL('../support/compile-wgsl.mjs', import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'antorcha-wgsl-'))
  try {
    const [input, output] = [join(folder, 'in.json'), join(folder, 'out.json')]
    writeFileSync(input, JSON.stringify(codes))
    spawnSync(process.execPath, [script, input, output], { stdio: 'ignore', timeout: 60_000 })
    return JSON.parse(readFileSync(output, 'utf8')) as string[][]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('a kernel renders to WGSL that a shader compiler accepts', () => {
  const allFeatures = { subgroups: true, f16: true }
  const dtypes = everyDType.filter((d) => d !== torch.float64)

  test('the compiler refuses what is no shader', () => {
    expect(compile(['fn main() { bad }'])[0]).not.toEqual([])
  })

  test('attention and its gradients, with and without masks', () => {
    const operand = (dtype: torch.DType, access: 'read' | 'write') => ({ dtype, access })
    const codes = [null, torch.bool, torch.float32].flatMap((mask) =>
      [
        ['attention', 3, 2],
        ['attention_queries_backward', 6, 2],
        ['attention_keys_backward', 6, 2],
      ].flatMap(([name, reads, writes]) => {
        const operands = [
          ...Array.from({ length: reads as number }, () => operand(torch.float32, 'read')),
          ...(mask === null ? [] : [operand(mask, 'read')]),
          ...Array.from({ length: writes as number }, () => operand(torch.float32, 'write')),
        ]
        const kernel: Kernel = {
          ...{ name: name as string, operands, scalars: ['f32', 'i32'], stages: [], compiled: new Map() },
          ...{ usesOuterIndex: true, usesLoopIndex: true, complex: false, parallel: false },
        }
        const memories = operands.map((_, i) => i)
        return [
          { batchRank: 0, features: 3, depth: 5 },
          { batchRank: 2, features: 128, depth: 128 },
        ].map((sizes) => renderAttention(kernel, { ...sizes, memories }).code)
      }),
    )
    compile(codes).forEach((errors, i) => {
      expect(errors, codes[i]).toEqual([])
    })
  })

  test('tiled products of each dtype', () => {
    const codes = [torch.float32, torch.float16, torch.bfloat16].flatMap((dtype) =>
      [noFeatures, allFeatures].map(
        (features) =>
          renderProduct(contractionKernel(dtype), {
            batchRank: 1,
            rowRank: 1,
            columnRank: 1,
            loopRank: 1,
            side: 16,
            depthFirst: [true, false],
            memories: [0, 1, 2],
            features,
          }).code,
      ),
    )
    expect(codes[3]).toContain('enable f16;')
    compile(codes).forEach((errors, i) => {
      expect(errors, codes[i]).toEqual([])
    })
  })

  for (const [name, run] of Object.entries(tenOps))
    test(name, () => {
      const r = new Random(99)
      const { launches } = checkLaunches(() => {
        for (let i = 0; i < 40; i++) run(r, dtypes)
      })
      const codes = new Set<string>()
      const add = ({ code, text }: Shader): void => {
        codes.add(code)
        if (text !== null) codes.add(assemble(text, 3))
      }
      for (const { kernel, launch } of launches)
        if (kernel.operands.every((o) => o.dtype !== torch.float64))
          for (const [mode, features] of [
            ['each', noFeatures],
            ['each', allFeatures],
            ...(isShareable(kernel)
              ? ([
                  ['group', noFeatures],
                  ['group', allFeatures],
                ] as const)
              : []),
          ] as const)
            add(
              renderWgsl(kernel, {
                outerRank: launch.outer.length,
                loopRank: launch.loop.length,
                mode,
                memories: kernel.operands.map((_, o) => o),
                features,
              }),
            )
      expect(codes.size).toBeGreaterThan(0)
      const list = [...codes]
      compile(list).forEach((errors, i) => {
        expect(errors, list[i]).toEqual([])
      })
    })
})
