// The GPU backend in Node, through the package `webgpu` and a real or a software driver.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href

function node(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', tsx, join(root, script), ...args],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, ...env },
    },
  )
  if (status !== 0) throw new Error(stderr)
  return stdout
}

function run<T>(name: string, env?: NodeJS.ProcessEnv): T {
  const lines = node('test/support/webgpu-programs.ts', [name], env).trim().split('\n')
  return JSON.parse(lines[lines.length - 1]) as T
}

const available = run<boolean>('available')
if (!available)
  console.warn(
    '\n*** Skipped: there is no GPU and no software driver (Chromium has one), so WebGPU was not tested. ***\n',
  )

describe('without a driver', () => {
  const nothing = {
    ANTORCHA_NO_DRIVER: '1',
    VK_ICD_FILENAMES: '/nowhere.json',
    VK_DRIVER_FILES: '/nowhere.json',
  }

  test.runIf(process.platform === 'linux')(
    'every way to a tensor says what is missing, once that is known',
    () => {
      const result = run<Record<string, unknown>>('unavailable', nothing)
      expect(result.available).toBe(false)
      for (const way of ['init', 'create', 'move']) expect(result[way]).toContain('found no GPU adapter')
    },
  )
})

describe.skipIf(!available)('on the GPU', () => {
  test('an adapter can be chosen, once, before anything uses the device', () => {
    const result = run<Record<string, unknown>>('choosing')
    expect(result.wrong).toContain("powerPreference is 'low-power' or 'high-performance', got 'fast'")
    expect(result.before).toBe(null)
    expect(result.chosen).toHaveProperty('vendor')
    expect(result.sum).toBe(3)
    expect(result.late).toContain('a device is already in use')
    expect(result.again).toEqual(result.chosen)
  })

  test('work given before the device is there is done', () => {
    expect(run('beforeTheDevice')).toEqual([
      [2, 3],
      [2, 3],
    ])
  })

  test('checkpoints are written from it and loaded to it', () => {
    const result = run<Record<string, unknown>>('checkpoints')
    expect(result).toMatchObject({ devices: ['cpu', 'webgpu'], same: true })
    expect(result.refusal).toMatch(/on the device 'webgpu' synchronously: use saveAsync/)
    expect(result.float64).toMatch(/float64/)
  })

  test('values are read by awaiting them, and in no other way', () => {
    const result = run<Record<string, unknown>>('reading')
    expect(result).toMatchObject({
      list: [
        [0, 3],
        [1, 4],
        [2, 5],
      ],
      data: [0, 3, 1, 4, 2, 5],
      item: 15,
      cpu: [
        'cpu',
        [
          [0, 3],
          [1, 4],
          [2, 5],
        ],
      ],
      text: "tensor(..., device='webgpu', size=(3, 2), dtype=torch.int64)",
      awaitedText: "tensor([[0, 3],\n        [1, 4],\n        [2, 5]], device='webgpu')",
    })
    for (const message of result.synchronous as string[]) expect(message).toContain('await x.cpu()')
    expect(result.float64).toContain('float64 does not exist on WebGPU')
  })

  test('operands on two devices are refused, but for a CPU tensor without dimensions', () => {
    const { scalar, refused } = run<{ scalar: number[][]; refused: string[] }>('mixing')
    expect(scalar).toEqual([
      [2.5, 2.5],
      [2.5, 2.5],
    ])
    for (const message of refused) expect(message).toContain('found at least two devices')
  })

  test('a lost device is reported by its tensors, and a new one can be had', () => {
    const result = run<Record<string, unknown>>('losing')
    expect(result.lost).toContain('the WebGPU device was lost')
    expect(result.again).toContain('the WebGPU device was lost')
    expect(result.afterwards).toEqual([1, 1])
    for (const message of result.old as string[])
      expect(message).toContain('on a WebGPU device that was lost')
  })

  test.each(['integers', 'narrow', 'random'])('%s are the same as on the CPU', (name) => {
    const { cpu, gpu } = run<{ cpu: unknown; gpu: unknown }>(name)
    expect(gpu).toEqual(cpu)
  })

  test('tiled products agree with the CPU to float32 precision', () => {
    for (const difference of run<number[]>('products')) expect(difference).toBeLessThan(3e-6)
  })

  test.each(['all', 'none'])(
    'attention in one kernel agrees with the composition, and so do its derivatives; optional features: %s',
    (features) => {
      const { differences, node } = run<{ differences: number[]; node: string }>('attention', {
        ANTORCHA_TEST_FEATURES: features,
      })
      expect(differences).toHaveLength(2 * 4 * 4 + 3)
      for (const difference of differences) expect(difference).toBeLessThan(1e-5)
      expect(node).toBe('ScaledDotProductFusedAttentionOverrideableBackward0')
    },
  )

  test('Fourier transforms and their gradients agree with the CPU', () => {
    for (const difference of run<number[]>('transforms')) expect(difference).toBeLessThan(1e-4)
  })

  test('equal dispatches become one where none needs what another one does', () => {
    const { values, dispatches } = run<{ values: number[][]; dispatches: number[] }>('merging')
    const expected = [...Array.from({ length: 7 }, (_, i) => 3 * i + 1), 105]
    for (const found of values) expect(found).toEqual(expected)
    expect(dispatches[4]).toBeLessThan(dispatches[0])
  })

  test('tiled products of the half types are rounded once', () => {
    for (const difference of run<number[]>('halfProducts')) expect(difference).toBeLessThan(1)
  })

  test('reductions are the same with what the adapter has beyond the standard, and without', () => {
    const [all, none] = ['all', 'none'].map((features) =>
      run<number[][]>('reductions', { ANTORCHA_TEST_FEATURES: features }),
    )
    const expected = run<number[][]>('reductions', { ANTORCHA_TEST_FEATURES: 'cpu' })
    for (const found of [all, none])
      found.forEach((values, i) => {
        values.forEach((value, j) => {
          const wanted = expected[i][j]
          expect(Math.abs(value - wanted)).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted)))
        })
      })
  })

  test('what shaders cannot do is computed in JavaScript, in its place between the launches', () => {
    const { differences, error, afterwards } = run<{
      differences: number[]
      error: string
      afterwards: number[]
    }>('computing')
    for (const difference of differences) expect(difference).toBeLessThan(1e-4)
    expect(error).toContain('LinAlgError: linalg.inv: The diagonal element 1 is zero')
    expect(afterwards).toEqual([2, 2])
  })

  test('a captured step is replayed with the values of eager mode', () => {
    const { eager, captured } =
      run<Record<string, { found: number[]; replays: number; dispatches: number }>>('capture')
    expect(captured.replays).toBe(7)
    // Functions after a product are computed in its kernel.
    expect(captured.dispatches).toBeLessThan(eager.dispatches)
    captured.found.forEach((loss, i) => {
      expect(loss).toBeCloseTo(eager.found[i], 5)
    })
  })

  test('a step of the digits network takes at most 28 dispatches and 2 submissions', () => {
    for (const { dispatches, submissions } of run<{ dispatches: number; submissions: number }[]>('counts')) {
      expect(dispatches).toBeLessThanOrEqual(28)
      expect(submissions).toBeLessThanOrEqual(2)
    }
  })

  test('2,000 steps that await once each hold no more memory than the first 200, give or take 24 MiB', () => {
    const measured = run<{ buffers: number; resident: number }[]>('memory')
    const later = measured.slice(1)
    expect(Math.max(...later.map((m) => m.buffers))).toBeLessThan(measured[0].buffers + 24 * 2 ** 20)
    expect(Math.max(...later.map((m) => m.resident))).toBeLessThan(measured[0].resident + 64 * 2 ** 20)
  })
})

const data = join(root, '../shared/conformance')

describe.skipIf(!available || !existsSync(data))('conformance on the GPU', () => {
  /** The share of cases that pass, of those that the device supports. */
  function share(part: string, every: number): number {
    const folder = mkdtempSync(join(tmpdir(), 'antorcha-webgpu-'))
    const file = join(folder, 'report.json')
    try {
      node('test/conformance/cli.ts', [
        data,
        '--device',
        'webgpu',
        '--part',
        part,
        '--every',
        String(every),
        '--json',
        file,
      ])
      const report = JSON.parse(readFileSync(file, 'utf8')) as Record<
        string,
        Record<string, { passed: number; failed: number }>
      >
      const tallies = Object.values(report[part])
      const passed = tallies.reduce((n, tally) => n + tally.passed, 0)
      expect(passed).toBeGreaterThan(5)
      return passed / tallies.reduce((n, tally) => n + tally.passed + tally.failed, 0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  test('ops: 95 % (each 12th case)', () => {
    expect(share('ops', 12)).toBeGreaterThanOrEqual(0.95)
  })

  test('modules: 95 % (each 5th case)', () => {
    expect(share('modules', 5)).toBeGreaterThanOrEqual(0.95)
  })

  test('training: all runs', () => {
    expect(share('training', 1)).toBe(1)
  })
})
