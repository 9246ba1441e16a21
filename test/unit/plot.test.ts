// torch.utils.plot: curves as text, live in a terminal, as SVG and PNG files.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'antorcha-plot-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { plot } = torch.utils
const written: string[] = []
const terminal = { isTTY: true, write: (text: string) => written.push(text) }
const plain = (text: string) => stripVTControlCharacters(text)

function falling(options: torch.utils.PlotOptions = {}): torch.utils.Plot {
  const curves = plot({ title: 'digits', ...options })
  for (let i = 1; i <= 200; i++) curves.add({ training: 2 / i, validation: 2 / i + 0.25 })
  return curves
}

test('the text has title, last values, a legend, and falls from the upper left to the lower right', () => {
  const text = plain(falling().text({ width: 40, height: 10 }))
  expect(text).toMatch(/^\s*digits: training 0\.01 {2}validation 0\.26/)
  expect(text).toMatch(/█ training.*█ validation/s)
  const rows = text.split('\n').filter((line) => /[━┃┏┓┗┛]/.test(line))
  expect(rows.length).toBeGreaterThan(5)
  expect(rows[0].search(/[━┃┏┓┗┛]/)).toBeLessThan(rows.at(-1)!.search(/[━┃┏┓┗┛]/))
})

test('points keep their steps; what is not finite is a gap, not an error', () => {
  const curves = plot()
  curves.add({ loss: 1 }, 10)
  curves.add({ loss: Number.NaN })
  curves.add({ loss: 0.5 })
  expect([...curves.curves.get('loss')!]).toEqual([
    [10, 1],
    [11, Number.NaN],
    [12, 0.5],
  ])
  expect(plain(curves.text())).toContain('loss 0.5')
  expect(curves.svg()).not.toContain('NaN')
  expect(plot({ title: 'empty' }).text()).toBe('empty: no values yet')
})

test('a terminal gets each drawing over the one before; other outputs get nothing', () => {
  const curves = falling({ stream: terminal, interval: 0 })
  expect(written).toHaveLength(200)
  const lines = written[0].split('\n').length - 1
  expect(written[1].startsWith(`\x1b[${lines}A`)).toBe(true)
  curves.finish()
  expect(plain(written.at(-1)!)).toContain('training 0.01')
  written.length = 0
  falling({ stream: { ...terminal, isTTY: false } }).finish()
  expect(written).toEqual([])
})

test('drawings do not come faster than the interval, and the last one shows the last values', () => {
  written.length = 0
  const curves = falling({ stream: terminal, interval: 3_600_000 })
  expect(written).toHaveLength(1)
  curves.finish()
  expect(plain(written.at(-1)!)).toContain('training 0.01')
})

test('an SVG picture has the names, a line for each curve, and is the same each time', () => {
  const path = join(folder, 'loss.svg')
  falling({ yLabel: 'loss', logarithmic: true }).save(path, { width: 500, height: 300 })
  const svg = readFileSync(path, 'utf8')
  expect(svg).toMatch(/^<svg width="500" height="300"/)
  for (const word of ['digits', 'training', 'validation', 'loss', 'step'])
    expect(svg).toContain(`>${word}</text>`)
  expect(svg.match(/<path d="M[^"]{500,}" fill="none"/g)).toHaveLength(2)
})

test('a PNG file has twice the pixels', () => {
  const path = join(folder, 'loss.png')
  falling().save(path, { width: 300, height: 200 })
  const png = readFileSync(path)
  expect([...png.subarray(0, 8)]).toEqual([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([600, 400])
})

test('wrong names, values and options are refused, and nothing was added', () => {
  const curves = plot()
  expect(() => curves.save('loss.gif')).toThrow(
    "plot.save(): the name must end in .svg or .png, but is 'loss.gif'",
  )
  expect(() => curves.add({ a: 1, loss: torch.ones(1) as never })).toThrow(
    "plot.add(): 'loss' must be a number, but got Tensor",
  )
  expect(curves.curves.size).toBe(0)
  expect(() => plot({ colour: 'red' } as never)).toThrow(/colour/)
  expect(() => curves.svg({ width: 0 })).toThrow('plot: width must be a whole number above 0, got 0')
})
