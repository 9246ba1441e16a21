// Medians, quartiles, and whether two results are the same.

/** The value below which the share `q` of the samples lies, interpolated. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = q * (sorted.length - 1)
  const below = Math.floor(at)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (at - below) * (sorted[above] - sorted[below])
}

/** A ratio of two sides that took turns: of their medians, and the quartiles of the rounds' own ratios. */
export interface Ratio {
  readonly ratio: number
  readonly quartiles: readonly [number, number]
}

/** How the samples of one side relate to those of another, taken in the same rounds. `q` is 0.5 for medians. */
export function ratioOf(own: readonly number[], other: readonly number[], q: number): Ratio {
  const rounds = own.map((x, i) => x / other[i])
  return {
    ratio: quantile(own, q) / quantile(other, q),
    quartiles: [quantile(rounds, 0.25), quantile(rounds, 0.75)],
  }
}

type Results = readonly (readonly number[])[]

/** The greatest difference of two results, as a share of the largest number in them. NaN equals NaN. */
export function difference(a: Results, b: Results): number {
  let scale = Number.MIN_VALUE
  let worst = a.length === b.length ? 0 : Number.POSITIVE_INFINITY
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i].length !== b[i].length) return Number.POSITIVE_INFINITY
    for (let j = 0; j < a[i].length; j++) {
      const [x, y] = [a[i][j], b[i][j]]
      if (Object.is(x, y)) continue
      if (Number.isNaN(x - y)) return Number.POSITIVE_INFINITY
      scale = Math.max(scale, Math.abs(x), Math.abs(y))
      worst = Math.max(worst, Math.abs(x - y))
    }
  }
  return worst / scale
}
