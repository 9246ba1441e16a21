// The drawing board: 32 x 32 cells of ink, by mouse, finger or keyboard, scaled down as the images of the data set were.

import { SIDE } from './digits.ts'

const CELLS = 32

export class Board {
  private readonly ink = new Uint8Array(CELLS * CELLS)
  private readonly context: CanvasRenderingContext2D
  private pen = { x: CELLS / 2, y: CELLS / 2 }
  private last: { x: number; y: number } | null = null

  /** `changed` is called after every stroke, and when the board was wiped. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    /** What has the focus. */
    private readonly pad: HTMLElement,
    private readonly changed: () => void,
  ) {
    this.context = canvas.getContext('2d')!
    pad.tabIndex = 0
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId)
      this.last = null
      this.drawTo(this.cellOf(event))
    })
    canvas.addEventListener('pointermove', (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.drawTo(this.cellOf(event))
    })
    canvas.addEventListener('pointerup', () => {
      this.last = null
    })
    pad.addEventListener('keydown', (event) => this.key(event))
    for (const name of ['focus', 'blur']) pad.addEventListener(name, () => this.paint())
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.paint())
    this.paint()
  }

  get isEmpty(): boolean {
    return !this.ink.includes(1)
  }

  wipe(): void {
    this.ink.fill(0)
    this.paint()
    this.changed()
  }

  private cellOf(event: PointerEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect()
    return {
      x: ((event.clientX - box.left) / box.width) * CELLS,
      y: ((event.clientY - box.top) / box.height) * CELLS,
    }
  }

  private key(event: KeyboardEvent): void {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (move !== undefined) {
      this.pen.x = Math.min(CELLS - 2, Math.max(1, this.pen.x + move[0]))
      this.pen.y = Math.min(CELLS - 2, Math.max(1, this.pen.y + move[1]))
      this.paint()
    } else if (event.key === ' ') {
      this.last = null
      this.drawTo(this.pen)
    } else if (event.key === 'Delete' || event.key === 'Backspace') this.wipe()
    else return
    event.preventDefault()
  }

  /** Draws a line from where the pen was. */
  private drawTo(to: { x: number; y: number }): void {
    const from = this.last ?? to
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) * 2))
    for (let i = 0; i <= steps; i++)
      this.dot(from.x + ((to.x - from.x) * i) / steps, from.y + ((to.y - from.y) * i) / steps)
    this.last = { ...to }
    this.paint()
    this.changed()
  }

  private dot(x: number, y: number): void {
    const radius = 1.6
    for (let row = Math.floor(y - radius); row <= y + radius; row++)
      for (let column = Math.floor(x - radius); column <= x + radius; column++) {
        if (row < 0 || column < 0 || row >= CELLS || column >= CELLS) continue
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= radius) this.ink[row * CELLS + column] = 1
      }
  }

  private paint(): void {
    const { context, canvas } = this
    const size = canvas.width / CELLS
    context.clearRect(0, 0, canvas.width, canvas.height)
    context.fillStyle = getComputedStyle(canvas).getPropertyValue('--ink')
    for (let i = 0; i < this.ink.length; i++)
      if (this.ink[i] === 1) context.fillRect((i % CELLS) * size, Math.floor(i / CELLS) * size, size, size)
    if (!this.pad.matches(':focus-visible')) return
    context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--accent')
    context.lineWidth = 2
    context.strokeRect((this.pen.x - 1) * size, (this.pen.y - 1) * size, 2 * size, 2 * size)
  }

  /**
   * The drawing as an image of the data set: what is inked, fitted into the square, and how much of each block of 4 x 4
   * cells is ink.
   */
  image(): Float32Array {
    let [left, top, right, bottom] = [CELLS, CELLS, 0, 0]
    for (let i = 0; i < this.ink.length; i++)
      if (this.ink[i] === 1) {
        const [x, y] = [i % CELLS, Math.floor(i / CELLS)]
        left = Math.min(left, x)
        right = Math.max(right, x + 1)
        top = Math.min(top, y)
        bottom = Math.max(bottom, y + 1)
      }
    const image = new Float32Array(SIDE * SIDE)
    if (right <= left) return image
    // Digits of the data set are as high as the square, about three quarters as wide.
    const scale = Math.max(bottom - top, ((right - left) * 4) / 3) / CELLS
    const [middleX, middleY] = [(left + right) / 2, (top + bottom) / 2]
    const block = CELLS / SIDE
    for (let row = 0; row < CELLS; row++)
      for (let column = 0; column < CELLS; column++) {
        const x = Math.floor(middleX + (column + 0.5 - CELLS / 2) * scale)
        const y = Math.floor(middleY + (row + 0.5 - CELLS / 2) * scale)
        if (x < 0 || y < 0 || x >= CELLS || y >= CELLS || this.ink[y * CELLS + x] === 0) continue
        image[Math.floor(row / block) * SIDE + Math.floor(column / block)] += 1 / (block * block)
      }
    return image
  }
}
