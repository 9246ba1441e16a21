// A recorded call that runs again: memory planned once, launches prepared once, no JavaScript but the host steps.

import { type Allocation, type Backend, backendFor, backendOf } from '../backends/backend.ts'
import type { Recorder, UpdateStep } from '../backends/recording.ts'
import { RuntimeError } from '../core/errors.ts'
import { numelOf } from '../core/shape.ts'
import type { Kernel, Launch } from '../kernels/kernel.ts'
import { Storage } from '../tensor/storage.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fuse } from './fuse.ts'
import { type MemoryPlan, planMemory } from './memory-plan.ts'
import { recordWith } from './recorder.ts'
import type { ConstantStep, LaunchStep, Recording, Step } from './recording.ts'

/** Launches of at most this many steps of their innermost loop go into one program; larger ones run as they do eagerly. */
const smallWork = 1 << 16

const goneMessage =
  'this tensor was computed inside a captured graph, and replays use its memory for other values. Return it from the captured function to read it.'

/** The numbers of one launch of an update step. */
interface ScalarSlot {
  readonly step: LaunchStep
  set(scalars: Launch['scalars']): void
}

export class Replay {
  private readonly actions: readonly (() => void)[]
  private readonly versions: readonly (readonly [Storage, number])[]
  private readonly grads: readonly (readonly [Tensor, Tensor | null])[]
  /** What the launches use outside of the block: as long as the graph lives, so does that memory. */
  readonly memory: Storage | null

  /**
   * Takes the memory of a recorded call over.
   * @param results tensors whose values are wanted after each replay
   */
  constructor({ steps, made, outside, leaves }: Recording, results: readonly Tensor[]) {
    const kept = new Set<Allocation>()
    const keep = (x: Tensor | null) => {
      if (x !== null && made.has(x.storage.allocation)) kept.add(x.storage.allocation)
    }
    for (const result of results) keep(result)
    for (const { after } of leaves.values()) keep(after)
    const steady = steps.filter((step) => step.kind === 'constant' && !isWritten(step, steps))
    for (const step of steady) kept.add((step as ConstantStep).allocation)
    const visible = new Set(kept)
    for (const step of steps)
      if (step.kind === 'host') for (const allocation of step.touched) visible.add(allocation)
    const remaining = fuse(
      steps.filter((step) => !steady.includes(step)),
      (allocation) => made.has(allocation) && !visible.has(allocation),
    )
    const embedded = new Set([...made].filter((allocation) => backendOf(allocation).embed !== undefined))
    const { block, stand } = settle(planMemory(remaining, embedded, kept), embedded, kept, visible)
    replaceApart(made, embedded, visible, remaining, stand)
    this.memory = block
    for (const step of steady) write(step as ConstantStep)
    this.actions = actionsOf(withStandIns(remaining, stand))
    this.versions = [...outside].filter(([, raised]) => raised > 0)
    this.grads = [...leaves].map(([leaf, { after }]) => [leaf, after] as const)
  }

  run(): void {
    const { actions, versions, grads } = this
    for (let i = 0; i < grads.length; i++) grads[i][0].autograd!.grad = grads[i][1]
    for (let i = 0; i < actions.length; i++) actions[i]()
    for (let i = 0; i < versions.length; i++) versions[i][0].version += versions[i][1]
  }
}

function isWritten(constant: ConstantStep, steps: readonly Step[]): boolean {
  return steps.some(
    (step) =>
      (step.kind === 'launch' &&
        step.operands.some(
          ({ storage }, o) => storage === constant.allocation && step.kernel.operands[o].access !== 'read',
        )) ||
      (step.kind === 'host' && step.touched.has(constant.allocation)),
  )
}

/** Where what a call made lies from now on. */
interface Settled {
  readonly block: Storage | null
  /** What stands for memory that nobody outside may read any more. */
  readonly stand: Map<Allocation, Allocation>
}

/**
 * Moves what was made during the call to its place in one block, with the contents of what is kept. What is not
 * `visible` to code outside of the launches is told so if it is asked for.
 */
function settle(
  { nbytes, offsets }: MemoryPlan,
  made: ReadonlySet<Allocation>,
  kept: ReadonlySet<Allocation>,
  visible: ReadonlySet<Allocation>,
): Settled {
  const stand = new Map<Allocation, Allocation>()
  if (made.size === 0) return { block: null, stand }
  const block = Storage.allocate(Math.max(1, nbytes))
  const backend = backendFor(block.device.type)
  const contents = new Map(
    [...kept]
      .filter((allocation) => made.has(allocation))
      .map((allocation) => [allocation, backend.bytes!(allocation).slice()]),
  )
  for (const allocation of made) {
    const offset = offsets.get(allocation)
    if (offset !== undefined) {
      let place = allocation
      if (!visible.has(allocation)) {
        place = backend.allocate(allocation.nbytes)
        stand.set(allocation, place)
      }
      backend.embed!(place, block.allocation, offset)
    }
    if (!visible.has(allocation)) backend.forget!(allocation, goneMessage)
  }
  for (const [allocation, bytes] of contents) backend.bytes!(allocation).set(bytes)
  return { block, stand }
}

/**
 * The same for devices whose allocations cannot be parts of a block: what nobody outside may read any more is replaced by
 * memory of its own, where the launches use it.
 */
function replaceApart(
  made: ReadonlySet<Allocation>,
  embedded: ReadonlySet<Allocation>,
  visible: ReadonlySet<Allocation>,
  steps: readonly Step[],
  stand: Map<Allocation, Allocation>,
): void {
  const used = new Set<unknown>()
  for (const step of steps)
    if (step.kind === 'launch') for (const { storage } of step.operands) used.add(storage)
    else if (step.kind === 'constant') used.add(step.allocation)
  for (const allocation of made) {
    if (embedded.has(allocation) || visible.has(allocation)) continue
    const backend = backendOf(allocation)
    if (used.has(allocation)) stand.set(allocation, backend.allocate(allocation.nbytes))
    backend.forget!(allocation, goneMessage)
  }
}

function withStandIns(steps: readonly Step[], stand: ReadonlyMap<Allocation, Allocation>): Step[] {
  const placeOf = (storage: unknown) => stand.get(storage as Allocation) ?? (storage as Allocation)
  return steps.map((step) => {
    if (step.kind === 'launch')
      return { ...step, operands: step.operands.map((o) => ({ ...o, storage: placeOf(o.storage) })) }
    return step.kind === 'constant' ? { ...step, allocation: placeOf(step.allocation) } : step
  })
}

function write({ allocation, bytes }: ConstantStep): void {
  const backend = backendOf(allocation)
  if (backend.write !== undefined) backend.write(allocation, bytes!, 0)
  else backend.bytes!(allocation).set(bytes!)
}

function actionsOf(steps: readonly Step[]): (() => void)[] {
  const actions: (() => void)[] = []
  const slots = new Map<UpdateStep<unknown>, ScalarSlot[]>()
  const addSlot = (step: LaunchStep, set: ScalarSlot['set']) => {
    if (step.update === null) return
    const list = slots.get(step.update) ?? []
    slots.set(step.update, list)
    list.push({ step, set })
  }
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]
    switch (step.kind) {
      case 'launch': {
        const run: LaunchStep[] = []
        for (let j = i; j < steps.length; j++) {
          const next = steps[j]
          if (next.kind === 'launch' && next.backend === step.backend && isSmall(next)) run.push(next)
          else break
        }
        if (run.length > 0 && step.backend.program !== undefined) {
          const program = step.backend.program(run)
          run.forEach((launch, n) => {
            addSlot(launch, (scalars) => program.setScalars(n, scalars))
          })
          actions.push(() => program.run())
          i += run.length - 1
        } else actions.push(launchAction(step, addSlot))
        break
      }
      case 'host':
        actions.push(step.run)
        break
      case 'constant':
        actions.push(() => write(step))
        break
      case 'update': {
        const list = slots.get(step.update) ?? []
        slots.set(step.update, list)
        actions.push(() => {
          if (step.update.repeat?.()) return
          const finder = new ScalarFinder(list)
          recordWith(finder, step.update.run)
          finder.finish()
        })
        break
      }
      default:
        step satisfies never
    }
  }
  return actions
}

function isSmall({ outer, loop, generated }: LaunchStep): boolean {
  return generated && numelOf(outer) * numelOf(loop) <= smallWork
}

function launchAction(
  step: LaunchStep,
  addSlot: (step: LaunchStep, set: ScalarSlot['set']) => void,
): () => void {
  const { backend, kernel, outer, loop, operands, scalars } = step
  let launch: Launch = { outer, loop, operands, scalars }
  addSlot(step, (values) => {
    launch = { ...launch, scalars: values }
  })
  return () => backend.launch(kernel, launch)
}

/** Stands in for the devices while an update step runs: takes the scalars of its launches, and launches nothing. */
class ScalarFinder implements Recorder {
  private next = 0

  constructor(private readonly slots: readonly ScalarSlot[]) {}

  launch(_: Backend, kernel: Kernel, { operands, scalars }: Launch): void {
    const slot = this.slots[this.next++]
    const known =
      slot !== undefined &&
      slot.step.kernel === kernel &&
      slot.step.operands.every(
        ({ storage, offset }, o) => storage === operands[o].storage && offset === operands[o].offset,
      )
    if (!known) throw changedError()
    slot.set(scalars)
  }

  finish(): void {
    if (this.next !== this.slots.length) throw changedError()
  }

  allocated(): void {
    throw changedError()
  }

  accessed(): void {}

  used(): void {}

  accumulates(): void {}

  called(): void {}

  hostStep(run: () => void): void {
    run()
  }

  updateStep<R>(update: UpdateStep<R>): R {
    return update.run()
  }
}

function changedError(): RuntimeError {
  return new RuntimeError(
    "torch.graph.capture: the optimizer's step is no longer what was captured: an option that decides how it computes, its parameters or their gradients were replaced. Capture the function again.",
  )
}
