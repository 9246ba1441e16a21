// The command line: what inspect prints, what convert writes, exit codes.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { run } from '../../src/cli/main.ts'
import { formatBytes, printable } from '../../src/cli/terminal.ts'
import * as torch from '../../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'antorcha-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

async function antorcha(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: string[][] = [[], []]
  const code = await run(args, { out: (line) => out.push(line), err: (line) => err.push(line) })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

const weight = torch.arange(6, { dtype: torch.float32 }).reshape(2, 3)
const checkpoint = at('checkpoint.pt')
torch.save({ model: { weight, tied: weight, bias: torch.zeros(2) }, epoch: 3, name: 'a\nb' }, checkpoint)

describe('inspect', () => {
  it('prints tensors, sharing and values', async () => {
    const { code, out, err } = await antorcha('inspect', checkpoint)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out.split('\n').slice(1)).toEqual([
      '3 tensors, 14 elements, 32 bytes in memory',
      '',
      'model.weight  float32  [2, 3]  24 bytes',
      'model.tied    float32  [2, 3]  24 bytes  shares the storage of model.weight',
      'model.bias    float32  [2]      8 bytes',
      '',
      'values',
      '  epoch  3',
      "  name   'a\\nb'",
    ])
  })

  it('--json says the same to programs, --only and --histogram more about some tensors', async () => {
    const { out } = await antorcha('inspect', checkpoint, '--json', '--only', 'weight', '--histogram')
    const report = JSON.parse(out)
    expect(report.format).toBe('torch')
    expect(report.tensors).toHaveLength(1)
    expect(report.tensors[0]).toMatchObject({
      name: 'model.weight',
      dtype: 'float32',
      shape: [2, 3],
      bytes: 24,
      sharesWith: null,
      distribution: { min: 0, max: 5, mean: 2.5, notFinite: 0 },
    })
    const { histogram } = report.tensors[0].distribution as { histogram: number[] }
    expect(histogram.reduce((a, b) => a + b)).toBe(6)
    expect(report.values).toEqual([
      { name: 'epoch', value: '3' },
      { name: 'name', value: "'a\\nb'" },
    ])
  })

  it('values that are not finite are counted and left out of the histogram', async () => {
    torch.save([torch.tensor([1, Number.NaN, 2, Number.POSITIVE_INFINITY])], at('odd.pt'))
    const { out } = await antorcha('inspect', at('odd.pt'), '--histogram')
    expect(out).toMatch(/1 \|█ {14}█\| 2 {2}mean 1\.5, std 0\.7071, 2 not finite/)
  })

  it('opens the other formats, too', async () => {
    torch.safetensors.saveFile({ weight }, at('w.safetensors'), { metadata: { format: 'pt' } })
    torch.npy.save(weight, at('w.npy'))
    torch.npy.savez({ weight }, at('w.npz'))
    const texts = await Promise.all(
      ['w.safetensors', 'w.npy', 'w.npz'].map(async (name) => (await antorcha('inspect', at(name))).out),
    )
    expect(texts[0]).toMatch(/: safetensors, .*\n.*\n\nweight {2}float32 .*\n\nmetadata\n {2}format {2}'pt'$/)
    expect(texts[1]).toMatch(/: NumPy array, .*\n.*\n\n\(the tensor\) {2}float32 {2}\[2, 3\]/)
    expect(texts[2]).toMatch(/: NumPy archive, .*\n.*\n\nweight {2}float32/)
  })

  it('names in a file cannot command the terminal', async () => {
    torch.save({ '\x1b[2Jgone\nnew line': weight }, at('escape.pt'))
    const { out } = await antorcha('inspect', at('escape.pt'))
    expect(out).toContain('\\x1b[2Jgone\\nnew line  float32')
    expect(printable('a\u009b\u202eb\tc')).toBe('a\\x9b\\u202eb\\x09c')
  })
})

describe('convert', () => {
  it('a part of a checkpoint to safetensors and back', async () => {
    const [there, back] = [at('model.safetensors'), at('back.pt')]
    const first = await antorcha('convert', checkpoint, there, '--key', 'model')
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/: 3 tensors, \d+ bytes$/) })
    expect(first.err).toBe('tied shares its memory with weight: a safetensors file has both, each by itself')
    expect((await antorcha('convert', there, back)).code).toBe(0)
    const state = torch.load<Map<string, torch.Tensor>>(back)
    expect(torch.equal(state.get('tied')!, weight)).toBe(true)
    expect([...state.keys()].sort()).toEqual(['bias', 'tied', 'weight'])
  })

  it('to NumPy, one tensor or several', async () => {
    expect((await antorcha('convert', checkpoint, at('b.npy'), '--key', 'model.bias')).code).toBe(0)
    expect((torch.npy.load(at('b.npy')) as torch.Tensor).tolist()).toEqual([0, 0])
    const { out } = await antorcha('convert', checkpoint, at('m.npz'), '--key', 'model', '--json')
    expect(JSON.parse(out)).toMatchObject({ format: 'npz', tensors: 3, notes: [] })
  })

  it.each([
    ['a target that exists', ['convert', checkpoint, checkpoint], /exists already; --force replaces it/],
    [
      'a target without a known ending',
      ['convert', checkpoint, at('x.txt')],
      /the name of the target says its format/,
    ],
    [
      'values that the format cannot hold',
      ['convert', checkpoint, at('x.npz')],
      /also 'epoch', 'name'; --key takes one part/,
    ],
    [
      'several tensors in a .npy file',
      ['convert', checkpoint, at('x.npy'), '--key', 'model'],
      /one tensor, but there are 3/,
    ],
    [
      'a key that does not exist',
      ['convert', checkpoint, at('x.npz'), '--key', 'modle'],
      /no 'modle'; there are model, epoch, name/,
    ],
    ['an unknown command', ['inpsect', checkpoint], /there is no command 'inpsect'/],
    ['an unknown option', ['inspect', checkpoint, '--jsno'], /Unknown option '--jsno'/],
    ['a missing argument', ['inspect'], /inspect needs <file>, but got nothing/],
  ])('%s: exit code 2, and nothing is written', async (_, args, message) => {
    const before = readFileSync(checkpoint)
    const { code, err, out } = await antorcha(...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(message)
    expect(Buffer.compare(readFileSync(checkpoint), before)).toBe(0)
    for (const name of ['x.txt', 'x.npz', 'x.npy']) expect(existsSync(at(name))).toBe(false)
  })

  it('a file that is missing or damaged: exit code 1', async () => {
    expect(await antorcha('inspect', at('none.pt'))).toMatchObject({
      code: 1,
      err: `antorcha: cannot open '${at('none.pt')}': No such file or directory`,
    })
    writeFileSync(at('bad.pt'), 'PK damaged')
    expect((await antorcha('convert', at('bad.pt'), at('x.npz'))).code).toBe(1)
  })
})

it('help is there for everything, and a missing command is a mistake', async () => {
  expect(await antorcha('--help')).toMatchObject({ code: 0, out: expect.stringContaining('Usage: antorcha') })
  expect((await antorcha('inspect', '--help')).out).toContain('--histogram')
  expect((await antorcha('convert', '-h')).out).toContain('--force')
  expect(await antorcha()).toMatchObject({ code: 2, err: 'antorcha: a command is missing' })
})

it('sizes are written in units of a thousand', () => {
  expect([0, 999, 1000, 12_345, 999_600, 4_194_304, 5e9].map(formatBytes)).toEqual([
    '0 bytes',
    '999 bytes',
    '1.00 kB',
    '12.3 kB',
    '999.6 kB',
    '4.19 MB',
    '5.00 GB',
  ])
})
