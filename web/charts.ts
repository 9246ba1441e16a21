// Pictures of results: the loss curve, the confusion matrix, images of digits, bars of likelihood.

import { type Digits, SIDE } from './digits.ts'
import type { Losses } from './losses.ts'
import type { TestResult } from './trainer.ts'

const SVG = 'http://www.w3.org/2000/svg'

function add<K extends keyof SVGElementTagNameMap>(
  parent: Element,
  name: K,
  attributes: Record<string, string | number>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  parent.append(element)
  return element
}

/** The mean of the last 20 losses at each step. */
function smoothed(losses: readonly number[]): number[] {
  let sum = 0
  return losses.map((loss, i) => {
    sum += loss
    if (i >= 20) sum -= losses[i - 20]
    return sum / Math.min(i + 1, 20)
  })
}

/** Draws the losses of all steps, from 0 up, with a smooth line over them. */
export function drawCurve(svg: SVGElement, { points: losses, count, first }: Losses): void {
  svg.replaceChildren()
  const [left, right, top, bottom] = [40, 592, 10, 232]
  const highest = Math.max(0.5, Math.ceil(Math.max(...losses, 0) * 2) / 2)
  const x = (step: number) => left + ((right - left) * step) / Math.max(1, losses.length - 1)
  const y = (loss: number) => bottom - ((bottom - top) * Math.min(loss, highest)) / highest
  for (const loss of [0, highest / 2, highest]) {
    add(svg, 'line', { class: 'grid', x1: left, x2: right, y1: y(loss), y2: y(loss) })
    add(svg, 'text', { x: left - 6, y: y(loss) + 4, 'text-anchor': 'end' }).textContent = String(loss)
  }
  add(svg, 'text', { x: left, y: 252 }).textContent = 'step 1'
  add(svg, 'text', { x: right, y: 252, 'text-anchor': 'end' }).textContent = `step ${count}`
  const path = (values: readonly number[]) =>
    values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(' ')
  const smooth = smoothed(losses)
  if (losses.length > 1) {
    add(svg, 'polyline', { class: 'faint', points: path(losses) })
    add(svg, 'polyline', { class: 'smooth', points: path(smooth) })
  }
  svg.setAttribute(
    'aria-label',
    count === 0
      ? 'Loss over the steps: no step yet'
      : `Loss over ${count} steps, from ${first.toFixed(2)} to ${smooth[smooth.length - 1].toFixed(2)}`,
  )
}

function cell(row: HTMLTableRowElement, name: 'th' | 'td', text: string, scope?: string): HTMLElement {
  const element = document.createElement(name)
  element.textContent = text
  if (scope !== undefined) element.setAttribute('scope', scope)
  row.append(element)
  return element
}

/** Writes the confusion matrix as a table. */
export function drawConfusion(table: HTMLTableElement, { confusion }: TestResult): void {
  table.replaceChildren()
  table.createCaption().textContent = 'Rows: the digit; columns: the guess'
  const head = table.createTHead().insertRow()
  cell(head, 'td', '')
  for (let digit = 0; digit < 10; digit++) cell(head, 'th', String(digit), 'col')
  const body = table.createTBody()
  confusion.forEach((counts, label) => {
    const row = body.insertRow()
    cell(row, 'th', String(label), 'row')
    const total = counts.reduce((a, b) => a + b, 0)
    counts.forEach((count, guess) => {
      const element = cell(row, 'td', count === 0 ? '·' : String(count))
      const share = total === 0 ? 0 : count / total
      if (count > 0) {
        const strength = (guess === label ? 0.45 : 0.25) * share + (guess === label ? 0 : 0.2)
        element.style.background = `rgba(var(${guess === label ? '--good' : '--heat'}), ${strength.toFixed(3)})`
      }
    })
  })
}

/** A canvas of 8 x 8 pixels with one image, dark ink on light ground as on paper. */
function picture(digits: Digits, image: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = SIDE
  canvas.height = SIDE
  const context = canvas.getContext('2d')!
  const data = context.createImageData(SIDE, SIDE)
  for (let p = 0; p < SIDE * SIDE; p++) {
    const shade = 255 - Math.round(255 * digits.pixels[image * SIDE * SIDE + p])
    data.data.set([shade, shade, shade, 255], p * 4)
  }
  context.putImageData(data, 0, 0)
  return canvas
}

/** Shows the first images that were guessed wrong. */
export function drawWrong(
  list: HTMLElement,
  summary: HTMLElement,
  digits: Digits,
  { wrong }: TestResult,
): void {
  summary.textContent =
    wrong.length === 0
      ? 'None: all test images were guessed right.'
      : `${wrong.length} of ${digits.labels.length} test images${wrong.length > 16 ? '; the first 16:' : ':'}`
  list.replaceChildren(
    ...wrong.slice(0, 16).map(({ image, label, guess }) => {
      const item = document.createElement('li')
      const canvas = picture(digits, image)
      canvas.setAttribute('role', 'img')
      canvas.setAttribute('aria-label', `An image of a ${label}, taken for a ${guess}`)
      const caption = document.createElement('span')
      caption.textContent = `${label} → ${guess}`
      caption.setAttribute('aria-hidden', 'true')
      item.append(canvas, caption)
      return item
    }),
  )
}

/** Shows how likely each digit is, as bars. */
export function drawShares(list: HTMLElement, shares: readonly number[]): void {
  list.replaceChildren(
    ...shares.map((share, digit) => {
      const item = document.createElement('li')
      const [name, bar, value] = ['span', 'span', 'span'].map((tag) => document.createElement(tag))
      name.textContent = String(digit)
      bar.className = 'bar'
      bar.style.width = `${(100 * share).toFixed(1)}%`
      value.className = 'value'
      value.textContent = `${(100 * share).toFixed(1)} %`
      item.append(name, bar, value)
      return item
    }),
  )
}
