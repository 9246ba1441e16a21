// The images of digits: fetched, unpacked, split into those to train with and those to test with.

import digitsUrl from '../examples/data/digits.csv.gz?url'

/** Pixels along a side of an image. */
export const SIDE = 8
const PIXELS = SIDE * SIDE
const TRAINING_IMAGES = 1400

export interface Digits {
  /** Images x 64 pixels from 0 to 1, row by row. */
  readonly pixels: Float32Array
  readonly labels: readonly number[]
}

/** Whole numbers from a text of comma-separated lines; servers may have unpacked the file on its way. */
async function rows(): Promise<number[][]> {
  const response = await fetch(digitsUrl)
  if (!response.ok)
    throw new Error(`the images could not be fetched: ${response.status} ${response.statusText}`)
  const bytes = new Uint8Array(await response.arrayBuffer())
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b
  const body = new Blob([bytes]).stream()
  const stream = isPacked ? body.pipeThrough(new DecompressionStream('gzip')) : body
  const text = await new Response(stream).text()
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number))
}

function digitsOf(lines: readonly number[][]): Digits {
  const pixels = new Float32Array(lines.length * PIXELS)
  lines.forEach((line, i) => {
    for (let p = 0; p < PIXELS; p++) pixels[i * PIXELS + p] = line[p] / 16
  })
  return { pixels, labels: lines.map((line) => line[PIXELS]) }
}

/** All images: 1,400 to train with and 397 to test with. */
export async function loadDigits(): Promise<{ training: Digits; test: Digits }> {
  const lines = await rows()
  return { training: digitsOf(lines.slice(0, TRAINING_IMAGES)), test: digitsOf(lines.slice(TRAINING_IMAGES)) }
}
