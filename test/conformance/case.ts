// What a part of the conformance run is made of: cases that pass, fail or are unsupported.

/** One recorded case. `run` returns when it passes, throws `Unsupported` or any other error when it does not. */
export interface Case {
  /** The op, module or file under which the case is counted. */
  readonly name: string
  /** Unique within the part. */
  readonly id: string
  run(): void | Promise<void>
}

/** A part of the data (`ops`, `modules`, ...): where its cases come from. */
export interface Part {
  /** The cases in `folder` whose name matches `only`, in order. */
  cases(folder: string, only: (name: string) => boolean): AsyncIterable<Case>
}

/** Thrown where the library has no such function, class or dtype. */
export class Unsupported extends Error {
  override name = 'Unsupported'
}

/** Thrown where a result is not the recorded one. */
export class Mismatch extends Error {
  override name = 'Mismatch'
}

export interface Failure {
  readonly id: string
  readonly reason: string
}

/** Counts of one op, module or file. */
export interface Tally {
  passed: number
  failed: number
  unsupported: number
  readonly failures: Failure[]
}

/** Counts by name, in the order in which the names came up. */
export type PartReport = Map<string, Tally>

export interface RunOptions {
  /** Tells errors that say the same as `Unsupported`. */
  isUnsupported?: (error: unknown) => boolean
  /** Runs each `every`-th case only. */
  every?: number
}

/** Runs the cases of a part, one after the other. */
export async function runPart(
  part: Part,
  folder: string,
  only: (name: string) => boolean,
  { isUnsupported = () => false, every = 1 }: RunOptions = {},
): Promise<PartReport> {
  const report: PartReport = new Map()
  let count = 0
  for await (const one of part.cases(folder, only)) {
    if (count++ % every > 0) continue
    let tally = report.get(one.name)
    if (tally === undefined) {
      tally = { passed: 0, failed: 0, unsupported: 0, failures: [] }
      report.set(one.name, tally)
    }
    try {
      await one.run()
      tally.passed++
    } catch (error) {
      if (error instanceof Unsupported || isUnsupported(error)) tally.unsupported++
      else {
        tally.failed++
        tally.failures.push({ id: one.id, reason: describe(error) })
      }
    }
  }
  return report
}

/** The sum over all names. */
export function total(report: PartReport): Tally {
  const sum: Tally = { passed: 0, failed: 0, unsupported: 0, failures: [] }
  for (const tally of report.values()) {
    sum.passed += tally.passed
    sum.failed += tally.failed
    sum.unsupported += tally.unsupported
    sum.failures.push(...tally.failures)
  }
  return sum
}

function describe(error: unknown): string {
  if (error instanceof Mismatch) return error.message
  if (!(error instanceof Error)) return `threw ${String(error)}`
  // Where an unintended error arose helps more than its text alone.
  const place = isInternal(error) ? (error.stack?.split('\n')[1]?.trim() ?? '') : ''
  return `threw ${error.name}: ${error.message}${place === '' ? '' : ` (${place})`}`
}

const internalErrors: readonly unknown[] = [TypeError, ReferenceError, RangeError, SyntaxError, EvalError]

/** Whether an error is the engine's own ("undefined is not a function") and not one that the library meant to throw. */
export function isInternal(error: Error): boolean {
  return internalErrors.includes(error.constructor) || error instanceof WebAssembly.RuntimeError
}
