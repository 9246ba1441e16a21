// torch.graph.capture: a function that runs as written at first, is recorded, and from then on is replayed.

import { gradMode } from '../autograd/mode.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { describeArguments, StaticArguments } from './arguments.ts'
import { firstDifference } from './compare.ts'
import { CallRecorder, recordWith } from './recorder.ts'
import type { Recording } from './recording.ts'
import { Replay } from './replay.ts'
import { copyResult, detachResult, tensorsIn } from './results.ts'

/** Options of `capture`. */
export interface CaptureOptions {
  /** How many calls run without being recorded, so that what is made once exists: optimizer state, lazy parameters. Default 1. */
  warmup?: number
  /**
   * Gives the same tensors at every replay, overwritten by the next one, instead of copies. Saves a little time where
   * results are used at once. Default false.
   */
  staticResults?: boolean
}

/** What a captured function is like: called as the original, and it says what became of it. */
export interface Captured {
  /** How many calls were replayed, so far. */
  readonly replays: number
}

/** Calls are recorded until two of them did the same; this many may differ before that is an error. */
const mostAttempts = 4

/** Of so many different circumstances (gradients present or not, training or not) replays are kept. */
const mostVariants = 8

/** What must be as it was for a replay to do what the function would do. */
interface Conditions {
  readonly gradEnabled: boolean
  readonly modules: readonly (readonly [{ readonly training: boolean }, boolean])[]
  /** Leaves whose gradient from before the call was added to. */
  readonly grads: readonly (readonly [Tensor, Tensor | null])[]
}

interface Variant {
  readonly conditions: Conditions
  readonly replay: Replay
  readonly result: unknown
  /** The tensors in the result that the next replay overwrites. */
  readonly overwritten: ReadonlySet<Tensor>
}

interface Candidate {
  readonly conditions: Conditions
  readonly recording: Recording
  attempts: number
}

class CapturedFunction<A extends readonly unknown[], R> {
  replays = 0
  private calls = 0
  private inputs: StaticArguments | null = null
  private candidates: Candidate[] = []
  private variants: Variant[] = []
  /** Leaves whose gradients earlier calls changed. */
  private readonly leaves = new Set<Tensor>()
  private running = false

  constructor(
    private readonly body: (...args: A) => R,
    private readonly warmup: number,
    private readonly staticResults: boolean,
  ) {}

  call(args: A): R {
    if (this.running) throw new RuntimeError('torch.graph.capture: a captured function cannot call itself')
    this.running = true
    try {
      return this.dispatch(args)
    } finally {
      this.running = false
    }
  }

  private dispatch(args: A): R {
    if (this.calls < this.warmup) {
      this.calls++
      const recorder = new CallRecorder(false)
      const result = this.runBody(args, recorder)
      for (const leaf of recorder.finish().leaves.keys()) this.leaves.add(leaf)
      return detachResult(result)
    }
    this.inputs ??= new StaticArguments(args)
    this.inputs.fill(args)
    const { variants } = this
    for (let i = 0; i < variants.length; i++) {
      const variant = variants[i]
      if (!hold(variant.conditions)) continue
      if (i > 0) {
        variants.splice(i, 1)
        variants.unshift(variant)
      }
      variant.replay.run()
      this.replays++
      return (this.staticResults ? variant.result : copyResult(variant.result, variant.overwritten)) as R
    }
    return this.record(this.inputs.values as unknown as A)
  }

  private runBody(args: A, recorder: CallRecorder): R {
    const result = recordWith(recorder, () => this.body(...args))
    if (result instanceof Promise)
      throw new TypeError_(
        'torch.graph.capture: the function is asynchronous. Do what has to be awaited outside, and capture what lies between.',
      )
    return result
  }

  private record(args: A): R {
    const entry = new Map([...this.leaves].map((leaf) => [leaf, leaf.grad]))
    const gradEnabled = gradMode.enabled
    const recorder = new CallRecorder(true)
    const result = detachResult(this.runBody(args, recorder))
    const recording = recorder.finish()
    for (const leaf of recording.leaves.keys()) this.leaves.add(leaf)
    const conditions: Conditions = {
      gradEnabled,
      modules: [...recording.modules],
      grads: [...recording.leaves]
        .filter(([leaf, { before }]) => !entry.has(leaf) || entry.get(leaf) === before)
        .map(([leaf, { before }]) => [leaf, before] as const),
    }
    const { storages } = this.inputs!
    const results = tensorsIn(result).filter(
      ({ device, storage }) =>
        device.type !== 'meta' && (recording.made.has(storage.allocation) || storages.has(storage)),
    )
    const overwritten = new Set(results)
    const copy = copyResult(result, overwritten)
    const candidate = this.candidates.find((c) => same(c.conditions, conditions))
    if (candidate === undefined) {
      this.candidates.push({ conditions, recording, attempts: 1 })
      return copy as R
    }
    const difference = firstDifference(candidate.recording, recording)
    this.candidates = this.candidates.filter((c) => c !== candidate)
    if (difference !== null) {
      if (candidate.attempts + 1 >= mostAttempts)
        throw new RuntimeError(
          `torch.graph.capture: the function does not do the same at each call: ${difference}. (This call itself was run to its end.)`,
        )
      this.candidates.push({ conditions, recording, attempts: candidate.attempts + 1 })
      return copy as R
    }
    const replay = new Replay(recording, results)
    this.variants.unshift({ conditions, replay, result, overwritten })
    if (this.variants.length > mostVariants) this.variants.pop()
    return (this.staticResults ? result : copy) as R
  }
}

function hold({ gradEnabled, modules, grads }: Conditions): boolean {
  if (gradMode.enabled !== gradEnabled) return false
  for (let i = 0; i < modules.length; i++) if (modules[i][0].training !== modules[i][1]) return false
  for (let i = 0; i < grads.length; i++) if (grads[i][0].grad !== grads[i][1]) return false
  return true
}

function same(a: Conditions, b: Conditions): boolean {
  const samePairs = (x: readonly (readonly unknown[])[], y: readonly (readonly unknown[])[]) =>
    x.length === y.length && x.every((pair, i) => pair[0] === y[i][0] && pair[1] === y[i][1])
  return a.gradEnabled === b.gradEnabled && samePairs(a.modules, b.modules) && samePairs(a.grads, b.grads)
}

/**
 * Makes a function that does the same as `fn`, which is a whole training step or a model's forward pass, without the
 * JavaScript: PyTorch's CUDA graphs, for every device here.
 *
 *     const step = torch.graph.capture((x: Tensor, y: Tensor) => {
 *       optimizer.zeroGrad()
 *       const loss = lossFn(model(x), y)
 *       loss.backward()
 *       optimizer.step()
 *       return loss
 *     })
 *     for (const [x, y] of loader) console.log(step(x, y).item())
 *
 * The first calls are ordinary ones: the first runs as written, the next two are recorded while they run. If these two
 * did the same, memory is planned, neighbouring kernels are fused, and later calls are replays. All calls count: the
 * values are those that calls of `fn` would give. A replay
 *
 * - copies its tensor arguments into tensors of its own. Shapes, dtypes and devices must stay; other arguments too;
 * - draws new random numbers, follows the learning rate and other options of the optimizers, and counts their steps;
 * - changes parameters, buffers, optimizer states and gradients in place: they stay the same tensors;
 * - gives copies of the results, detached from the autograd graph (see `staticResults`). Other tensors of the
 *   recorded call lose their values: what is wanted must be returned.
 *
 * Where a module's `training`, the grad mode, or the presence of gradients that `fn` adds to is another than at capture,
 * calls run as written again until that case is captured, too. Anything else that JavaScript does in `fn` is not repeated.
 *
 * @param fn any synchronous function of tensors; results may be nested in arrays and plain objects
 * @throws RuntimeError where `fn` reads values (`item()`), where arguments change their form, and where calls keep
 *   doing different things; the message says which.
 */
export function capture<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: CaptureOptions = {},
): ((...args: A) => R) & Captured {
  if (typeof fn !== 'function')
    throw new TypeError_(`torch.graph.capture() takes a function, but got ${describeArguments([fn])}`)
  const captured = new CapturedFunction(fn, options.warmup ?? 1, options.staticResults ?? false)
  const call = (...args: A): R => captured.call(args)
  Object.defineProperty(call, 'replays', { get: () => captured.replays, enumerable: true })
  return call as ((...args: A) => R) & Captured
}
