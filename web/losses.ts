// The losses of all steps in bounded memory: once there are many, neighbours become their mean.

/** Points kept at most. */
const MOST = 2000

export class Losses {
  /** How many steps there were. */
  count = 0
  /** The losses in order, each the mean of `stride` steps. */
  points: number[] = []
  first = 0
  last = 0
  private stride = 1
  private sum = 0
  private waiting = 0

  add(loss: number): void {
    if (this.count++ === 0) this.first = loss
    this.last = loss
    this.sum += loss
    if (++this.waiting < this.stride) return
    this.points.push(this.sum / this.stride)
    this.sum = 0
    this.waiting = 0
    if (this.points.length < MOST) return
    this.points = Array.from(
      { length: MOST / 2 },
      (_, i) => (this.points[2 * i] + this.points[2 * i + 1]) / 2,
    )
    this.stride *= 2
  }
}
