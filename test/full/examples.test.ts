// The examples as a user runs them: what they print, what they write, how they answer a wrong command line.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { useSoftwareGpu } from '../support/software-gpu.ts'

const root = resolve(import.meta.dirname, '../..')
const parent = mkdtempSync(join(tmpdir(), 'antorcha-examples-'))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(parent, 'run-'))
})
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href

function run(name: string, ...options: string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(root, 'examples', `${name}.ts`)
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '' }
  return spawnSync(process.execPath, ['--import', tsx, program, ...options], {
    cwd: folder,
    encoding: 'utf8',
    env,
  })
}

// Each says what it reached in its last lines; with few steps it need not be much.
describe('the short examples run to their end', () => {
  test.each([
    ['digits-mlp', [], /test accuracy \d+\.\d %/],
    ['char-lstm', ['20'], /./],
    ['gpt', ['20'], /./],
    ['vae', [], /./],
    ['fine-tuning', [], /the frozen layers have changed: false/],
    ['schedules', [], /step 300 .*lr 0\.0000/],
    ['resume', [], /both runs end at the same weights, bit by bit/],
  ] as const)('%s', (name, options, expected) => {
    const { status, stdout, stderr } = run(name, ...options)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(expected)
  })
})

// The programs find the driver in the environment that they are started with.
useSoftwareGpu()
folder = parent
const hasGpu = run('schedules', '1', '--device', 'webgpu').status === 0
if (!hasGpu)
  console.warn(
    '\n*** Skipped: there is no GPU and no software driver (Chromium has one), so no example ran on WebGPU. ***\n',
  )

describe.skipIf(!hasGpu)('every example runs on the GPU, with no change but the device', () => {
  test.each([
    ['digits', ['--epochs', '1'], /agree with the trained model's on 397 of 397 test images/],
    ['digits-mlp', ['2'], /test accuracy [89]\d\.\d %/],
    ['char-lstm', ['1'], /^The /m],
    ['gpt', ['1'], /^The /m],
    ['vae', ['1'], /Digits that nobody wrote/],
    ['fine-tuning', ['1'], /the frozen layers have changed: false/],
    ['schedules', ['10'], /step {2}10/],
    ['resume', ['2'], /both runs end at the same weights, bit by bit/],
    ['lesson', ['--lang', 'en'], /tensor\(\[4\.9626\], device='webgpu', grad_fn=<AddBackward0>\)/],
  ] as const)('%s', (name, options, expected) => {
    const { status, stdout, stderr } = run(name, ...options, '--device', 'webgpu')
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(expected)
  })
})

describe('a device that is not to be had', () => {
  test.each(['digits', 'gpt', 'lesson'])('is answered by %s with the reason', (name) => {
    const { status, stdout, stderr } = run(name, '--device', 'cuda')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain("--device takes cpu or webgpu, got 'cuda'")
  })
})

describe('the digits', () => {
  test('are learned, saved and loaded into a model with a lazy layer', () => {
    const { status, stdout, stderr } = run('digits')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const accuracy = Number(/test accuracy (\d+\.\d+) %/.exec(stdout)?.[1])
    expect(accuracy).toBeGreaterThanOrEqual(96)
    expect(stdout.match(/^epoch .*mean loss \d+\.\d{4}$/gm)).toHaveLength(6)
    expect(stdout).toContain('<All keys matched successfully>')
    expect(stdout).toContain("agree with the trained model's on 397 of 397 test images")
    // Without a terminal there are neither colours nor cursor movements.
    expect(stdout).not.toContain('\x1b')
    expect(readdirSync(folder)).toEqual(['digits.pt'])
  })

  test('replace their own file but no other', () => {
    expect(run('digits', '--epochs', '1').status).toBe(0)
    expect(run('digits', '--epochs', '1').status).toBe(0)
    const letter = join(folder, 'letter.txt')
    writeFileSync(letter, 'keep me')
    const { status, stderr } = run('digits', '--out', letter)
    expect(status).toBe(2)
    expect(stderr).toContain('exists and was not saved by this program')
    expect(readFileSync(letter, 'utf8')).toBe('keep me')
  })

  test.each([
    [['--epochs', 'many'], "--epochs takes a whole number from 1 to 1000, got 'many'"],
    [['--epoch', '3'], "Unknown option '--epoch'"],
    [['3'], "Unexpected argument '3'"],
    [['--out', 'nowhere/digits.pt'], 'there is no folder'],
  ])('answer %j with the reason and the usage', (options, reason) => {
    const { status, stdout, stderr } = run('digits', ...options)
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(reason)
    expect(stderr).toContain('Usage: npm start')
    expect(existsSync(join(folder, 'digits.pt'))).toBe(false)
  })
})

describe('the lesson', () => {
  test.each([
    ['es', 'Hasta ahora los modelos', 'aviso: My_MLP.list_of_layers is a plain array'],
    ['en', 'So far models were', 'warning: My_MLP.list_of_layers is a plain array'],
  ])('runs all of its cells in %s', (language, words, warning) => {
    const { status, stdout, stderr } = run('lesson', '--lang', language)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const cells = [...stdout.matchAll(/^In \[(\d+)\]$/gm)].map(([, cell]) => Number(cell))
    expect(cells).toEqual(Array.from({ length: 21 }, (_, i) => 146 + i))
    expect(stdout).toContain(words)
    expect(stdout).toContain(warning)
    expect(stdout).toContain(
      'AssertionError: The in_features inferred from input: 2 is not equal to in_features from self.weight: 1',
    )
    expect(readdirSync(folder)).toEqual([])
  })

  test('speaks English where the system does not say', () => {
    expect(run('lesson').stdout).toContain('So far models were')
  })

  test('names the languages that it has', () => {
    const { status, stderr } = run('lesson', '--lang', 'fr')
    expect(status).toBe(2)
    expect(stderr).toContain("--lang takes es or en, got 'fr'")
  })
})
