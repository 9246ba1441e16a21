// The line search of LBFGS: finds a step that satisfies the strong Wolfe conditions, by bracketing and cubic interpolation.

import type { Tensor } from '../tensor/tensor.ts'

/** The function and its slope at one point of the line. */
export interface Evaluation {
  readonly loss: number
  readonly gradient: Tensor
  /** The derivative along the line. */
  readonly slope: number
}

export interface LineSearchOptions {
  /** The first step to try. */
  readonly t: number
  /** What is known where the line starts. */
  readonly origin: Evaluation
  /** The largest component of the direction: a bracket times this below `toleranceChange` ends the search. */
  readonly reach: number
  readonly toleranceChange: number
  readonly maxEvaluations: number
  /** Rounds to the dtype in which PyTorch computes. */
  readonly round: (x: number) => number
  /** Sufficient decrease (Armijo). */
  readonly c1?: number
  /** Curvature. */
  readonly c2?: number
}

interface Point extends Evaluation {
  readonly t: number
}

/**
 * A step along a line (Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6).
 * @param at evaluates the function at a distance from the start
 */
export function strongWolfe(
  at: (t: number) => Evaluation,
  options: LineSearchOptions,
): Point & { evaluations: number } {
  const { origin, reach, toleranceChange, maxEvaluations, round, c1 = 1e-4, c2 = 0.9 } = options
  const point = (t: number): Point => ({ t, ...at(t) })
  const tooHigh = (p: Point) => p.loss > round(origin.loss + round(c1 * p.t * origin.slope))
  const flat = (p: Point) => Math.abs(p.slope) <= round(-c2 * origin.slope)

  let current = point(options.t)
  let evaluations = 1
  let previous: Point = { t: 0, ...origin }
  let bracket: [Point, Point] | null = null
  let done = false
  let iteration = 0
  // Walk on until a minimum lies between the last two points.
  while (iteration < maxEvaluations) {
    if (tooHigh(current) || (iteration > 1 && current.loss >= previous.loss)) {
      bracket = [previous, current]
      break
    }
    if (flat(current)) {
      bracket = [current, current]
      done = true
      break
    }
    if (current.slope >= 0) {
      bracket = [previous, current]
      break
    }
    const bounds: [number, number] = [current.t + 0.01 * (current.t - previous.t), current.t * 10]
    const t = cubicMinimum(previous, current, round, bounds)
    previous = current
    current = point(t)
    evaluations++
    iteration++
  }
  bracket ??= [{ t: 0, ...origin }, current]

  // Narrow the bracket; `low` is its better end.
  let stalled = false
  let low = bracket[0].loss <= bracket[1].loss ? 0 : 1
  while (!done && iteration < maxEvaluations) {
    const [a, b] = bracket
    if (Math.abs(b.t - a.t) * reach < toleranceChange) break
    let t = cubicMinimum(a, b, round)
    // A point too near an end makes no progress: the second time, go a tenth into the bracket.
    const left = Math.min(a.t, b.t)
    const right = Math.max(a.t, b.t)
    const margin = 0.1 * (right - left)
    if (Math.min(right - t, t - left) < margin) {
      if (stalled || t >= right || t <= left) {
        t = Math.abs(t - right) < Math.abs(t - left) ? right - margin : left + margin
        stalled = false
      } else stalled = true
    } else stalled = false

    current = point(t)
    evaluations++
    iteration++
    const high = 1 - low
    if (tooHigh(current) || current.loss >= bracket[low].loss) {
      bracket[high] = current
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1
    } else {
      if (flat(current)) done = true
      else if (current.slope * (bracket[high].t - bracket[low].t) >= 0) bracket[high] = bracket[low]
      bracket[low] = current
    }
  }
  return { ...bracket[low], evaluations }
}

/** Where the cubic through two points with these slopes is least, within bounds. */
function cubicMinimum(a: Point, b: Point, round: (x: number) => number, bounds?: [number, number]): number {
  const [least, most] = bounds ?? (a.t <= b.t ? [a.t, b.t] : [b.t, a.t])
  const d1 = round(round(a.slope + b.slope) - (3 * (a.loss - b.loss)) / (a.t - b.t))
  const square = round(round(d1 * d1) - round(a.slope * b.slope))
  if (!(square >= 0)) return (least + most) / 2
  const d2 = round(Math.sqrt(square))
  const minimum =
    a.t <= b.t
      ? b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
      : a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
  return Math.min(Math.max(round(minimum), least), most)
}
