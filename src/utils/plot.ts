// Curves of a training run: redrawn in a terminal while it goes on, saved as SVG or PNG. Other packages draw them
// (simple-ascii-chart; echarts; resvg), which a program installs beside this library if it wants them.

import type * as Fs from 'node:fs'
import type * as ResvgModule from '@resvg/resvg-js'
import type * as ECharts from 'echarts'
import type * as AsciiChart from 'simple-ascii-chart'
import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { nodeModule } from '../core/node.ts'
import { checkOptions, describe } from '../ops/op.ts'
import { neededPackage, optionalPackage } from './optional-package.ts'
import type { OutputStream } from './progress.ts'

/** Options of `plot`. */
export interface PlotOptions {
  /** Stands above the curves. */
  title?: string
  /** What the steps are; default `'step'`. */
  xLabel?: string
  /** What the values are, where one word fits all curves; for pictures. */
  yLabel?: string
  /** Shows values by their logarithm in pictures, as losses that fall by orders of magnitude want; default false. */
  logarithmic?: boolean
  /** Redraws the curves when values are added (true) or not (false); by default where the output is a terminal. */
  live?: boolean | null
  /** Where live curves are drawn; default standard error. */
  stream?: OutputStream
  /** Milliseconds between two drawings of live curves, at least; default 100. */
  interval?: number
}

/** The size of a drawing: columns and rows of a terminal, or pixels of a picture. */
export interface PlotSize {
  width?: number
  height?: number
}

/** A point of a curve: step and value. */
export type PlotPoint = readonly [step: number, value: number]

const optionNames = ['title', 'xLabel', 'yLabel', 'logarithmic', 'live', 'stream', 'interval']
const terminalColors = ['ansiCyan', 'ansiYellow', 'ansiMagenta', 'ansiGreen', 'ansiBlue', 'ansiRed'] as const

/**
 * Curves that grow while a program runs. Made by `plot`.
 */
export class Plot {
  readonly #options: PlotOptions
  readonly #curves = new Map<string, PlotPoint[]>()
  #steps = 0
  #drawn = { lines: 0, at: Number.NEGATIVE_INFINITY }

  constructor(options: PlotOptions) {
    this.#options = options
  }

  /** The curves' points so far, by name. */
  get curves(): ReadonlyMap<string, readonly PlotPoint[]> {
    return this.#curves
  }

  /**
   * Adds one value to each curve named; a curve begins when it is first named. What is not finite leaves a gap.
   * @param values numbers by curve, for example `{ loss: loss.item() }`
   * @param step where they stand; default one more than the step before
   * @throws TypeError for what is not a number, before anything is added
   */
  add(values: Readonly<Record<string, number>>, step: number = this.#steps + 1): void {
    for (const [name, value] of Object.entries({ ...values, step }))
      if (typeof value !== 'number')
        throw new TypeError_(`plot.add(): '${name}' must be a number, but got ${describe(value)}`)
    for (const [name, value] of Object.entries(values)) {
      const curve = this.#curves.get(name)
      if (curve === undefined) this.#curves.set(name, [[step, value]])
      else curve.push([step, value])
    }
    this.#steps = step
    const { live = null, stream = globalThis.process?.stderr, interval = 100 } = this.#options
    const isDue = performance.now() - this.#drawn.at >= interval
    if (stream !== undefined && (live ?? stream.isTTY === true) && isDue) this.#redraw(stream)
  }

  /** Draws live curves as they are now: the last values may have come too soon after those before. */
  finish(): void {
    const { live = null, stream = globalThis.process?.stderr } = this.#options
    if (stream === undefined || !(live ?? stream.isTTY === true)) return
    this.#redraw(stream)
    this.#drawn.lines = 0
  }

  // The new drawing is written over the one before, in one piece, so that nothing flickers.
  #redraw(stream: OutputStream): void {
    if (!hasCharts()) return
    const text = this.toString()
    const back = this.#drawn.lines > 0 ? `\x1b[${this.#drawn.lines}A` : ''
    const lines = text.split('\n')
    stream.write(`${back}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`)
    this.#drawn = { lines: lines.length, at: performance.now() }
  }

  /**
   * The curves as text for a terminal.
   * @throws RuntimeError where the package simple-ascii-chart is not installed
   */
  text({ width = 64, height = 14 }: PlotSize = {}): string {
    checkSize(width, height)
    const { plot } = neededPackage<typeof AsciiChart>('simple-ascii-chart', 'drawing curves as text')
    const { title, xLabel = 'step' } = this.#options
    const names = [...this.#curves.keys()]
    const curves = names.map((name) => thinned(this.#curves.get(name)!, width))
    const shown = curves.map((_, i) => i).filter((i) => curves[i].length > 0)
    if (shown.length === 0) return `${title ?? 'plot'}: no values yet`
    const points = curves.flat()
    const last = names.map((name) => `${name} ${formatted(this.#curves.get(name)!.at(-1)![1])}`)
    const drawn = plot(
      shown.map((i) => curves[i].map(([step, value]) => [step, value])),
      {
        width,
        height,
        title: [title, last.join('  ')].filter(Boolean).join(': '),
        xLabel,
        customXAxisTicks: ticks(points.map(([step]) => step)),
        customYAxisTicks: ticks(points.map(([, value]) => value)),
        color: shown.map((i) => terminalColors[i % terminalColors.length]),
        legend: { position: 'bottom', series: shown.map((i) => names[i]) },
        formatter: (value, { axis }) => (axis === 'y' ? formatted(value) : Math.round(value)),
      },
    )
    return drawn.replace(/\s+$/, '')
  }

  toString(): string {
    return this.text()
  }

  /**
   * The curves as an SVG picture.
   * @throws RuntimeError where the package echarts is not installed
   */
  svg({ width = 720, height = 420 }: PlotSize = {}): string {
    checkSize(width, height)
    const echarts = neededPackage<typeof ECharts>('echarts', 'drawing curves as a picture')
    const { title, xLabel = 'step', yLabel, logarithmic = false } = this.#options
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
    try {
      const isDrawable = (value: number) => Number.isFinite(value) && (!logarithmic || value > 0)
      chart.setOption({
        animation: false,
        backgroundColor: '#ffffff',
        ...(title === undefined ? {} : { title: { text: title, left: 'center' } }),
        legend: { bottom: 0 },
        grid: { left: 64, right: 24, top: title === undefined ? 24 : 48, bottom: 64 },
        xAxis: {
          type: 'value',
          name: xLabel,
          nameLocation: 'middle',
          nameGap: 28,
          min: 'dataMin',
          max: 'dataMax',
        },
        yAxis: {
          type: logarithmic ? 'log' : 'value',
          scale: true,
          ...(yLabel === undefined ? {} : { name: yLabel }),
        },
        series: Array.from(this.#curves, ([name, points]) => ({
          name,
          type: 'line' as const,
          showSymbol: points.length === 1,
          // A gap where there is nothing to show.
          data: points.map(([step, value]) => [step, isDrawable(value) ? value : '-']),
        })),
      })
      return chart.renderToSVGString()
    } finally {
      chart.dispose()
    }
  }

  /**
   * Writes the curves to a file, as SVG or PNG by the end of its name; PNG also wants the package `@resvg/resvg-js`.
   * @throws ValueError for another kind of file, RuntimeError where a package is not installed or there are no files
   */
  save(path: string, size: PlotSize = {}): void {
    const kind = /\.(svg|png)$/i.exec(path)?.[1].toLowerCase()
    if (kind === undefined)
      throw new ValueError(`plot.save(): the name must end in .svg or .png, but is '${path}'`)
    const fs = nodeModule<typeof Fs>('node:fs')
    if (fs === undefined)
      throw new RuntimeError('plot.save() writes files, which there are none of here; use plot.svg()')
    const svg = this.svg(size)
    if (kind === 'svg') {
      fs.writeFileSync(path, svg)
      return
    }
    const { Resvg } = neededPackage<typeof ResvgModule>('@resvg/resvg-js', 'saving curves as PNG')
    // Twice as many pixels as the picture's size, for sharp screens.
    fs.writeFileSync(path, new Resvg(svg, { fitTo: { mode: 'zoom', value: 2 } }).render().asPng())
  }
}

/**
 * Curves of a training run, drawn live in a terminal, as text, or as a picture:
 *
 *     const curves = torch.utils.plot({ title: 'digits' })
 *     for (...) curves.add({ training: loss.item(), validation: validate() })
 *     curves.finish()
 *     curves.save('loss.svg')
 *
 * Text is drawn by the package `simple-ascii-chart`, pictures by `echarts`, PNG files with `@resvg/resvg-js` besides:
 * `npm install` those that you use. Where there is no terminal nothing is drawn unless asked for.
 *
 * @throws TypeError for options that there are not
 */
export function plot(options: PlotOptions = {}): Plot {
  checkOptions('plot', options as Record<string, unknown>, optionNames)
  return new Plot(options)
}

function checkSize(width: number, height: number): void {
  for (const [name, size] of Object.entries({ width, height }))
    if (!(Number.isInteger(size) && size > 0))
      throw new ValueError(`plot: ${name} must be a whole number above 0, got ${size}`)
}

/** At most `count` points, each the mean of neighbours; without those that are not finite. */
function thinned(points: readonly PlotPoint[], count: number): PlotPoint[] {
  const finite = points.filter(([step, value]) => Number.isFinite(step) && Number.isFinite(value))
  if (finite.length <= count) return finite
  return Array.from({ length: count }, (_, i): PlotPoint => {
    const from = Math.floor((i * finite.length) / count)
    const group = finite.slice(from, Math.floor(((i + 1) * finite.length) / count))
    return [group.at(-1)![0], group.reduce((sum, [, value]) => sum + value, 0) / group.length]
  })
}

/** Five numbers from the least to the largest. */
function ticks(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return least === most ? [least] : Array.from({ length: 5 }, (_, i) => least + ((most - least) * i) / 4)
}

const formatted = (value: number): number => Number(value.toPrecision(4))

let isMissing = false

// A live drawing is no reason to end a training run: without the package it says once what to install.
function hasCharts(): boolean {
  if (isMissing) return false
  if (optionalPackage('simple-ascii-chart') !== null) return true
  isMissing = true
  console.warn(
    'torch.utils.plot draws live curves with the package simple-ascii-chart: npm install simple-ascii-chart',
  )
  return false
}
