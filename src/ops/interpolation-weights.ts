// Which elements of one dimension make up each element of a resized one, and with what weights: linear, cubic and
// Lanczos interpolation, with and without antialiasing. PyTorch's formulas, in the precision in which it computes them.

/** For each output `taps` input positions and their weights, one output after the other. A weight of 0 is no tap. */
export interface Taps {
  readonly taps: number
  readonly outputs: number
  readonly indices: readonly number[]
  readonly weights: readonly number[]
}

export type Kernel1d = 'linear' | 'cubic' | 'lanczos'

/** Rounds to the precision in which coordinates are computed. */
export type Round = (value: number) => number

/** How far apart outputs are, in input elements. `factor` is the enlargement that was asked for, or null. */
export function sourceScale(
  n: number,
  outputs: number,
  alignCorners: boolean,
  factor: number | null,
  round: Round,
): number {
  if (alignCorners) return outputs > 1 ? round((n - 1) / (outputs - 1)) : 0
  return factor !== null && factor > 0 ? round(1 / factor) : round(n / outputs)
}

/** The nearest input of each output; `exact` looks from the centres of elements. */
export function nearestSources(n: number, outputs: number, factor: number | null, exact: boolean): number[] {
  const scale = sourceScale(n, outputs, false, factor, Math.fround)
  return Array.from({ length: outputs }, (_, o) =>
    Math.min(Math.floor(Math.fround((exact ? o + 0.5 : o) * scale)), n - 1),
  )
}

const clampTo = (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1)

// Keys' cubic convolution with this parameter, at a distance.
function cubic(x: number, a: number): number {
  const t = Math.abs(x)
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

const filters: Record<Kernel1d, { readonly support: number; readonly at: (x: number) => number }> = {
  linear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  cubic: { support: 2, at: (x) => cubic(x, -0.5) },
  lanczos: { support: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

function taps(rows: readonly (readonly [index: number, weight: number])[][]): Taps {
  const most = Math.max(1, ...rows.map((r) => r.length))
  const indices: number[] = []
  const weights: number[] = []
  for (const row of rows)
    for (let t = 0; t < most; t++) {
      indices.push(row[t]?.[0] ?? 0)
      weights.push(row[t]?.[1] ?? 0)
    }
  return { taps: most, outputs: rows.length, indices, weights }
}

/** Weights of the neighbours of each output's place in the input. Beyond the border its last element is repeated. */
export function interpolationTaps(
  kernel: 'linear' | 'cubic',
  n: number,
  outputs: number,
  alignCorners: boolean,
  factor: number | null,
  round: Round,
): Taps {
  const scale = sourceScale(n, outputs, alignCorners, factor, round)
  const rows = Array.from({ length: outputs }, (_, o): [number, number][] => {
    const place = alignCorners ? round(scale * o) : round(round(scale * round(o + 0.5)) - 0.5)
    if (kernel === 'linear') {
      if (n === outputs) return [[o, 1]]
      const x = Math.max(place, 0)
      const left = Math.min(Math.floor(x), n - 1)
      const lambda = Math.min(Math.max(round(x - left), 0), 1)
      return [
        [left, round(1 - lambda)],
        [Math.min(left + 1, n - 1), lambda],
      ]
    }
    const left = Math.floor(place)
    const t = Math.min(Math.max(round(place - left), 0), 1)
    return [-1, 0, 1, 2].map((d) => [clampTo(left + d, n), cubic(t - d, -0.75)])
  })
  return taps(rows)
}

/** Weights that shrink without aliasing: the filter is as wide as the distance between outputs. */
export function antialiasTaps(
  kernel: Kernel1d,
  n: number,
  outputs: number,
  alignCorners: boolean,
  factor: number | null,
  round: Round,
): Taps {
  const scale = sourceScale(n, outputs, alignCorners, factor, round)
  const { support, at } = filters[kernel]
  const width = scale >= 1 ? round(support * scale) : support
  const shrink = scale >= 1 ? round(1 / scale) : 1
  const rows = Array.from({ length: outputs }, (_, o): [number, number][] => {
    const centre = round(scale * (o + 0.5))
    const first = Math.max(Math.trunc(centre - width + 0.5), 0)
    const end = Math.min(Math.trunc(centre + width + 0.5), n)
    const weights: number[] = []
    for (let i = first; i < end; i++) weights.push(at((i - centre + 0.5) * shrink))
    const total = weights.reduce((p, q) => p + q, 0)
    return weights.map((w, i) => [first + i, total === 0 ? w : w / total])
  })
  return taps(rows)
}

/** The same connections seen from the inputs: the transpose of the matrix of weights. */
export function transposedTaps(t: Taps, n: number): Taps {
  const rows: [number, number][][] = Array.from({ length: n }, () => [])
  for (let o = 0; o < t.outputs; o++)
    for (let i = o * t.taps; i < (o + 1) * t.taps; i++)
      if (t.weights[i] !== 0) rows[t.indices[i]].push([o, t.weights[i]])
  return taps(rows)
}

/** Weights as whole numbers of 2^-precision, as PyTorch resizes 8-bit images: the finest that fit in 16 bits. */
export function fixedPointTaps(t: Taps): Taps & { readonly precision: number } {
  const largest = Math.max(...t.weights)
  let precision = 0
  while (precision < 22 && Math.trunc(0.5 + largest * 2 ** (precision + 1)) < 2 ** 15) precision++
  const weights = t.weights.map((w) => Math.trunc(w * 2 ** precision + (w < 0 ? -0.5 : 0.5)))
  return { ...t, weights, precision }
}
