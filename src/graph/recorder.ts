// Records a call while it runs: every launch, what host code touches, what must be the same at a replay.

import type { Allocation, Backend } from '../backends/backend.ts'
import { type Recorder, recording, type UpdateStep } from '../backends/recording.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Kernel, Launch } from '../kernels/kernel.ts'
import type { Storage } from '../tensor/storage.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ConstantStep, HostStep, Recording, Step } from './recording.ts'

/** Runs `body` while `recorder` is told of everything. */
export function recordWith<R>(recorder: Recorder | null, body: () => R): R {
  const before = recording.recorder
  recording.recorder = recorder
  try {
    return body()
  } finally {
    recording.recorder = before
  }
}

/** What an update step must not do if its launches are to be repeated without its JavaScript. */
interface OpenUpdate {
  readonly update: UpdateStep<unknown>
  /** What it touched, in case that all of it becomes a host step. */
  readonly touched: Set<Allocation>
  repeatable: boolean
}

export class CallRecorder implements Recorder {
  private readonly steps: Step[] = []
  private readonly made = new Set<Allocation>()
  private readonly madeByHost = new Set<Allocation>()
  private readonly constants = new Map<Allocation, ConstantStep>()
  private readonly written = new Set<Allocation>()
  private readonly versions = new Map<Storage, number>()
  private readonly leaves = new Map<Tensor, Tensor | null>()
  private readonly modules = new Map<{ readonly training: boolean }, boolean>()
  /** What the host step that is running touches. */
  private hostTouches: Set<Allocation> | null = null
  private openUpdate: OpenUpdate | null = null

  /** @param strict whether reading values is an error; a call that only warms up may do what it likes */
  constructor(private readonly strict: boolean) {}

  launch(backend: Backend, kernel: Kernel, launch: Launch): void {
    const before = backend.generatedLaunches ?? 0
    const run = () => recordWith(null, () => backend.launch(kernel, launch))
    const touched = this.hostTouches
    if (touched !== null) {
      for (const { storage } of launch.operands) touched.add(storage as Allocation)
      run()
      return
    }
    launch.operands.forEach(({ storage }, o) => {
      const allocation = storage as Allocation
      if (this.openUpdate === null && this.madeByHost.has(allocation))
        throw new RuntimeError(
          `torch.graph.capture: kernel '${kernel.name}' uses a tensor that was made by JavaScript which runs anew at each replay`,
        )
      this.openUpdate?.touched.add(allocation)
      if (kernel.operands[o].access !== 'read') this.noteWrite(backend, allocation)
    })
    run()
    if (launch.outer.includes(0)) return
    const generated = (backend.generatedLaunches ?? 0) === before + 1
    const update = this.openUpdate?.update ?? null
    // The caller may use its arrays again.
    const { outer, loop, operands, scalars } = launch
    this.steps.push({
      kind: 'launch',
      backend,
      kernel,
      outer: [...outer],
      loop: [...loop],
      operands: operands.map((o) => ({ ...o, strides: [...o.strides] })),
      scalars: [...scalars],
      generated,
      update,
    })
  }

  // A constant that a kernel is about to change is written anew at each replay, with what it holds now.
  private noteWrite(backend: Backend, allocation: Allocation): void {
    this.written.add(allocation)
    const constant = this.constants.get(allocation)
    if (constant !== undefined && constant.bytes === null)
      constant.bytes = recordWith(null, () =>
        (backend.bytes ?? backend.known!).call(backend, allocation)!.slice(),
      )
  }

  allocated(allocation: Allocation): void {
    if (this.openUpdate !== null) this.openUpdate.repeatable = false
    if (this.hostTouches !== null || this.openUpdate !== null) this.madeByHost.add(allocation)
    else this.made.add(allocation)
  }

  accessed(allocation: Allocation): void {
    if (this.hostTouches !== null) {
      this.hostTouches.add(allocation)
      return
    }
    if (this.openUpdate !== null) {
      // Step counts are the host's own; what kernels compute is not known at a replay before they have run.
      this.openUpdate.touched.add(allocation)
      if (this.made.has(allocation) || this.written.has(allocation)) this.openUpdate.repeatable = false
      return
    }
    if (!this.made.has(allocation) || this.written.has(allocation)) {
      if (this.strict) throw readError()
      return
    }
    if (this.constants.has(allocation)) return
    const step: ConstantStep = { kind: 'constant', allocation, bytes: null }
    this.constants.set(allocation, step)
    this.steps.push(step)
  }

  used(storage: Storage): void {
    if (!this.versions.has(storage)) this.versions.set(storage, storage.version)
  }

  accumulates(leaf: Tensor): void {
    // What host code does to gradients it does again at each replay.
    if (this.hostTouches !== null || this.openUpdate !== null) return
    if (!this.leaves.has(leaf)) this.leaves.set(leaf, leaf.grad)
  }

  called(module: { readonly training: boolean }): void {
    if (!this.modules.has(module)) this.modules.set(module, module.training)
  }

  hostStep(run: () => void): void {
    if (this.hostTouches !== null) {
      run()
      return
    }
    if (this.openUpdate !== null) this.openUpdate.repeatable = false
    const touched = new Set<Allocation>()
    this.hostTouches = touched
    try {
      run()
    } finally {
      this.hostTouches = null
    }
    this.pushHostStep({ kind: 'host', run, touched })
  }

  private pushHostStep({ kind, run, touched }: HostStep): void {
    // Where it wrote to memory that was new, nothing else may take the memory for a constant.
    for (const allocation of touched) if (this.made.has(allocation)) this.written.add(allocation)
    this.steps.push({ kind, run, touched })
  }

  updateStep<R>(update: UpdateStep<R>): R {
    if (this.hostTouches !== null || this.openUpdate !== null) return update.run()
    const open: OpenUpdate = { update, touched: new Set(), repeatable: true }
    const start = this.steps.push({ kind: 'update', update }) - 1
    this.openUpdate = open
    let result: R
    try {
      result = update.run()
    } finally {
      this.openUpdate = null
    }
    if (!open.repeatable) {
      // It made memory or read values: then all of it is JavaScript that runs again.
      this.steps.length = start
      this.pushHostStep({ kind: 'host', run: update.run, touched: open.touched })
    }
    return result
  }

  /** What was recorded, after the call. */
  finish(): Recording {
    for (const [allocation, constant] of this.constants) {
      const storage = [...this.versions.keys()].find((s) => s.allocation === allocation)
      constant.bytes ??= storage!.hostBytes().slice()
    }
    const outside = new Map<Storage, number>()
    for (const [storage, version] of this.versions)
      if (!this.made.has(storage.allocation)) outside.set(storage, storage.version - version)
    const leaves = new Map(
      [...this.leaves].map(([leaf, before]) => [leaf, { before, after: leaf.grad }] as const),
    )
    return { steps: this.steps, made: this.made, outside, leaves, modules: this.modules }
  }
}

function readError(): RuntimeError {
  return new RuntimeError(
    "torch.graph.capture: the captured function reads a tensor's values in JavaScript (item(), tolist(), data(), printing, an op whose result's shape depends on values). A replay runs without JavaScript, so what depends on the values would stay as it was at capture. Return the tensor and read it outside, or express the choice with tensors (torch.where).",
  )
}
