// Worker threads that share the arena: they are started when there is enough to do, and take part in large launches.
// What they run is in thread-worker.ts, how a kernel is split in split.ts, how many there are in thread-count.ts.

import { nodeModule } from '../../core/node.ts'
import { getNumThreads, onThreadCountChange } from './thread-count.ts'
import {
  CONTROL_WORDS,
  MODULE_ALIGNMENT,
  MODULES_BYTES,
  Word,
  type WorkerStart,
  workerText,
} from './thread-worker.ts'

/** Code that every thread can run: a module that imports `env.memory` and functions of `Math`, and exports `run`. */
export interface Task {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** The calling thread's own instance. Covers [start, end); `thread` tells threads apart, 0 is the calling one. */
  readonly run: (params: number, start: number, end: number, thread: number) => void
}

/** Launches are cut into at most this many chunks. */
export const MOST_CHUNKS = 255
/** A worker is started once it would have had this much to do, in nanoseconds: starting one takes the caller about 3 ms. */
const WORK_BEFORE_START = 3e6
/** Workers that sleep are not woken for less, in nanoseconds: that takes 10 to 30 microseconds. */
const WORK_TO_WAKE = 50_000
/** How often a worker looks for the next launch, and the caller for the end of this one, before they sleep. */
const WORKER_SPINS = 4000
const CALLER_SPINS = 4000

interface WorkerHandle {
  terminate(): unknown
}

type NodeWorker = WorkerHandle & { unref(): void; on(event: 'error', listener: () => void): void }

interface Host {
  Worker?: new (url: string) => WorkerHandle & { postMessage(data: unknown): void; onerror: unknown }
  crossOriginIsolated?: boolean
}

/** Starts a worker here, or returns null where there are none that can share memory. */
function startWorker(start: WorkerStart, onError: () => void): WorkerHandle | null {
  const { Worker, crossOriginIsolated } = globalThis as unknown as Host
  const threads = nodeModule<{ Worker: new (code: string, options: object) => NodeWorker }>(
    'node:worker_threads',
  )
  if (threads !== undefined) {
    // No options of the parent's: loaders and hooks would only make the start slow.
    const worker = new threads.Worker(workerText, { eval: true, workerData: start, execArgv: [], env: {} })
    worker.on('error', onError)
    worker.unref()
    return worker
  }
  if (Worker === undefined || crossOriginIsolated !== true) return null
  const url = URL.createObjectURL(new Blob([workerText], { type: 'text/javascript' }))
  const worker = new Worker(url)
  worker.onerror = (event: { preventDefault(): void }) => {
    event.preventDefault()
    onError()
  }
  worker.postMessage(start)
  return worker
}

class ThreadPool {
  private readonly control = new SharedArrayBuffer(4 * CONTROL_WORDS)
  private readonly words = new Int32Array(this.control)
  private readonly modules = new SharedArrayBuffer(MODULES_BYTES)
  private modulesEnd = 0
  private readonly kernels = new WeakMap<Task, number>()
  private readonly workers: WorkerHandle[] = []
  /** Nanoseconds of work since the last start of a worker. */
  private workSeen = 0
  private readonly mayWait: boolean
  private broken = false

  constructor(readonly memory: WebAssembly.Memory) {
    this.mayWait = callerMayWait(this.words)
  }

  /** Whether workers can take part now; starts another one where that pays. */
  prepare(work: number): boolean {
    this.workSeen += work
    if (this.workSeen > WORK_BEFORE_START && this.workers.length < getNumThreads() - 1 && !this.broken) {
      this.workSeen = 0
      this.start()
    }
    return this.ready > 0 && (work >= WORK_TO_WAKE || this.words[Word.sleeping] === 0)
  }

  private start(): void {
    const { memory, control, modules } = this
    const start = { memory, control, modules, thread: this.workers.length + 1, spins: WORKER_SPINS }
    try {
      const worker = startWorker(start, () => {
        this.broken = true
      })
      if (worker === null) this.broken = true
      else this.workers.push(worker)
    } catch {
      // The host forbids it; the caller works alone.
      this.broken = true
    }
  }

  /** Workers that have started. */
  get ready(): number {
    return Atomics.load(this.words, Word.ready)
  }

  stop(): void {
    for (const worker of this.workers) worker.terminate()
  }

  /** A task's number for the workers, its module copied to where they find it; -1 where there is no more room. */
  private numberOf(task: Task): number {
    let kernel = this.kernels.get(task)
    if (kernel !== undefined) return kernel
    const { bytes } = task
    if (this.modulesEnd + 4 + bytes.length > MODULES_BYTES) return -1
    new DataView(this.modules).setUint32(this.modulesEnd, bytes.length, true)
    new Uint8Array(this.modules).set(bytes, this.modulesEnd + 4)
    kernel = this.modulesEnd / MODULE_ALIGNMENT
    this.modulesEnd += Math.ceil((bytes.length + 4) / MODULE_ALIGNMENT) * MODULE_ALIGNMENT
    this.kernels.set(task, kernel)
    return kernel
  }

  /** Runs a task over [0, extent) in chunks. Returns false, and does nothing, where there is no room for its module. */
  run(task: Task, params: number, extent: number, chunk: number): boolean {
    const { words } = this
    const kernel = this.numberOf(task)
    if (kernel < 0) return false
    const chunks = Math.ceil(extent / chunk)
    words[Word.params] = params
    words[Word.chunk] = chunk
    words[Word.extent] = extent
    words[Word.failed] = 0
    Atomics.store(words, Word.pending, chunks)
    Atomics.store(words, Word.ticket, (kernel << 16) | chunks)
    Atomics.add(words, Word.launches, 1)
    if (Atomics.load(words, Word.sleeping) > 0) Atomics.notify(words, Word.launches, chunks - 1)
    try {
      this.takeChunks(task, params, extent, chunk)
    } finally {
      this.waitForWorkers()
    }
    if (words[Word.failed] !== 0)
      throw new WebAssembly.RuntimeError('a kernel failed on a worker thread (memory access out of bounds)')
    return true
  }

  private takeChunks(task: Task, params: number, extent: number, chunk: number): void {
    const { words } = this
    for (;;) {
      const ticket = Atomics.load(words, Word.ticket)
      const first = (ticket >>> 8) & 255
      if (first >= (ticket & 255)) return
      if (Atomics.compareExchange(words, Word.ticket, ticket, ticket + 256) !== ticket) continue
      const start = first * chunk
      try {
        task.run(params, start, Math.min(start + chunk, extent), 0)
      } catch (error) {
        const rest = Atomics.exchange(words, Word.ticket, 0)
        Atomics.sub(words, Word.pending, (rest & 255) - ((rest >>> 8) & 255))
        throw error
      } finally {
        Atomics.sub(words, Word.pending, 1)
      }
    }
  }

  private waitForWorkers(): void {
    const { words } = this
    for (let spins = CALLER_SPINS; spins > 0; spins--) if (Atomics.load(words, Word.pending) === 0) return
    // A page's own thread must not sleep: it goes on looking, for as long as a chunk takes.
    for (let pending = 1; pending > 0; pending = Atomics.load(words, Word.pending))
      if (this.mayWait) Atomics.wait(words, Word.pending, pending)
  }
}

function callerMayWait(words: Int32Array<SharedArrayBuffer>): boolean {
  try {
    Atomics.wait(words, Word.ticket, 1)
    return true
  } catch {
    return false
  }
}

let pool: ThreadPool | null = null

onThreadCountChange(() => {
  pool?.stop()
  pool = null
})

/** How many workers take part in large launches now. */
export function activeWorkers(): number {
  return pool === null ? 0 : pool.ready
}

/**
 * Runs a task over [0, extent), on all threads where they can take part now, else on the calling one alone. Returns when
 * all of it is done; until then the calling thread must not touch the arena's blocks.
 *
 * @param chunk Every thread takes this much at a time; at most `MOST_CHUNKS` chunks.
 * @param work An estimate of the whole work, in nanoseconds.
 */
export function runOnThreads(
  arena: { readonly memory: WebAssembly.Memory; readonly shared: boolean },
  task: Task,
  params: number,
  extent: number,
  chunk: number,
  work: number,
): void {
  if (chunk < extent && arena.shared && getNumThreads() > 1 && typeof SharedArrayBuffer === 'function') {
    pool ??= new ThreadPool(arena.memory)
    if (pool.memory === arena.memory && pool.prepare(work) && pool.run(task, params, extent, chunk)) return
  }
  task.run(params, 0, extent, 0)
}
