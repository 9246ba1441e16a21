// A DataLoader's side of its worker threads: starting them, giving them tasks, waiting for answers with and without
// blocking the thread.

import type * as NodeModule from 'node:module'
import type * as NodeUrl from 'node:url'
import type * as WorkerThreads from 'node:worker_threads'
import * as errors from '../core/errors.ts'
import { nodeModule } from '../core/node.ts'
import type { Recipe } from './worker-dataset.ts'
import type { Answer, Task, WorkerStart } from './worker-protocol.ts'

/** What the workers of a loader have in common. */
export type PoolOptions = Pick<WorkerStart, 'collates' | 'isBatched' | 'batchSize' | 'dropLast'> & {
  readonly recipe: Recipe
  readonly numWorkers: number
  /** Worker `i` draws random numbers from the seed `baseSeed + i`. */
  readonly baseSeed: bigint
  /** Seconds to wait for a batch; 0 for ever. */
  readonly timeout: number
}

interface Member {
  readonly worker: WorkerThreads.Worker
  readonly port: WorkerThreads.MessagePort
  readonly signal: Int32Array
  /** Why it has ended, once it has. */
  ended: Error | null
}

// The library as a module of its own, which threads load: this file's folder holds it in the package and in the sources.
const library = import.meta.url.endsWith('.ts') ? '../index.ts' : './index.js'
// Modules that the program was started with (--import, as of what runs TypeScript) are not imported by threads: it is done here.
// tsx keeps to the main thread unless its register() is called.
// Where the library cannot be imported, every task is answered with the reason.
const program = `
const { workerData } = require('node:worker_threads')
const { port, start, preloaded, library } = workerData
process.on('exit', (code) => {
  Atomics.store(start.signal, 1, code + 1)
  Atomics.add(start.signal, 0, 1)
  Atomics.notify(start.signal, 0)
})
const preload = (name) => {
  const tsx = /^(.*[/]tsx[/]dist[/])(?:loader|esm[/]index)[.]mjs$/.exec(name)
  return tsx === null ? import(name) : import(tsx[1] + 'esm/api/index.mjs').then((api) => api.register())
}
const ready = preloaded.reduce((before, name) => before.then(() => preload(name)), Promise.resolve())
ready.then(() => import(library)).then(
  (torch) => torch.utils.data.serveDataLoader(port, start),
  ({ name, message, stack }) => port.on('message', ({ pass }) => {
    port.postMessage({ pass, error: { name, message, stack } })
    Atomics.add(start.signal, 0, 1)
    Atomics.notify(start.signal, 0)
  }),
)`

/** The modules that this program was started with, as addresses. */
function preloadedModules(): string[] {
  const { execArgv = [] } = globalThis.process ?? {}
  const given = execArgv.flatMap((argument, i) => {
    if (argument === '--import') return execArgv.slice(i + 1, i + 2)
    return argument.startsWith('--import=') ? [argument.slice('--import='.length)] : []
  })
  const { createRequire } = nodeModule<typeof NodeModule>('node:module')!
  const { pathToFileURL } = nodeModule<typeof NodeUrl>('node:url')!
  const require = createRequire(`${process.cwd()}/`)
  return given.map((name) => (/^[a-z]+:/.test(name) ? name : pathToFileURL(require.resolve(name)).href))
}

export class WorkerPool {
  private readonly members: readonly Member[]

  constructor(private readonly options: PoolOptions) {
    const threads = nodeModule<typeof WorkerThreads>('node:worker_threads')
    if (threads === undefined)
      throw new errors.RuntimeError(
        'DataLoader: numWorkers needs the threads of Node 20.16 or later; there are none here. Use numWorkers: 0',
      )
    this.members = Array.from({ length: options.numWorkers }, (_, id) => this.start(threads, id))
  }

  private start({ Worker, MessageChannel }: typeof WorkerThreads, id: number): Member {
    const { recipe, numWorkers, baseSeed, collates, isBatched, batchSize, dropLast } = this.options
    const { port1, port2 } = new MessageChannel()
    const signal = new Int32Array(new SharedArrayBuffer(8))
    const start: WorkerStart = {
      ...{ recipe, id, numWorkers, collates, isBatched, batchSize, dropLast, signal },
      seed: baseSeed + BigInt(id),
    }
    const worker = new Worker(program, {
      eval: true,
      workerData: {
        library: new URL(library, import.meta.url).href,
        preloaded: preloadedModules(),
        port: port2,
        start,
      },
      transferList: [port2],
    })
    const member: Member = { worker, port: port1, signal, ended: null }
    const end = (why: string) => {
      member.ended ??= exited(id, why)
      Atomics.add(signal, 0, 1)
      Atomics.notify(signal, 0)
      port1.emit('ended', null)
    }
    worker.on('error', (error) => end(String(error)))
    worker.on('exit', (code) => end(`exit code ${code}`))
    // The program ends when its own code does.
    worker.unref()
    port1.unref()
    return member
  }

  /** Gives a worker something to do. */
  post(id: number, task: Task): void {
    this.members[id].port.postMessage(task)
  }

  /** The next answer of a worker to a task of this pass; the thread sleeps until it is there. */
  take(id: number, pass: number): Answer {
    const { receiveMessageOnPort } = nodeModule<typeof WorkerThreads>('node:worker_threads')!
    const member = this.members[id]
    const { timeout } = this.options
    const deadline = timeout > 0 ? performance.now() + 1000 * timeout : Number.POSITIVE_INFINITY
    for (;;) {
      const seen = Atomics.load(member.signal, 0)
      const received = receiveMessageOnPort(member.port) as { message: Answer } | undefined
      if (received !== undefined) {
        if (received.message.pass === pass) return received.message
        continue
      }
      // No event comes while this thread sleeps: the worker has left a note.
      const code = Atomics.load(member.signal, 1)
      if (code > 0) member.ended ??= exited(id, `exit code ${code - 1}`)
      if (member.ended !== null) throw member.ended
      const left = deadline - performance.now()
      if (left <= 0) throw this.timedOut()
      Atomics.wait(member.signal, 0, seen, left)
    }
  }

  /** The same without blocking the thread. */
  async takeAsync(id: number, pass: number): Promise<Answer> {
    const { receiveMessageOnPort } = nodeModule<typeof WorkerThreads>('node:worker_threads')!
    const member = this.members[id]
    const { timeout } = this.options
    const deadline = timeout > 0 ? performance.now() + 1000 * timeout : Number.POSITIVE_INFINITY
    for (;;) {
      const received = receiveMessageOnPort(member.port) as { message: Answer } | undefined
      if (received?.message.pass === pass) return received.message
      if (received !== undefined) continue
      if (member.ended !== null) throw member.ended
      const left = deadline - performance.now()
      if (left <= 0) throw this.timedOut()
      const arrived = await arrival(member, left)
      if (arrived?.pass === pass) return arrived
    }
  }

  private timedOut(): Error {
    return new errors.RuntimeError(`DataLoader timed out after ${this.options.timeout} seconds`)
  }

  /** Ends the threads. */
  close(): void {
    for (const { worker, port } of this.members) {
      worker.removeAllListeners()
      worker.on('error', () => {})
      port.close()
      void worker.terminate()
    }
  }
}

/** The next message of a worker; null where none came in so many milliseconds, or its thread has ended. */
function arrival({ worker, port }: Member, milliseconds: number): Promise<Answer | null> {
  return new Promise((resolve) => {
    const patience = Number.isFinite(milliseconds) ? setTimeout(() => done(null), milliseconds) : undefined
    const ended = () => done(null)
    const done = (answer: Answer | null) => {
      clearTimeout(patience)
      port.off('message', done)
      port.off('ended', ended)
      port.unref()
      worker.unref()
      resolve(answer)
    }
    port.on('message', done)
    port.on('ended', ended)
    port.ref()
    worker.ref()
  })
}

function exited(id: number, why: string): Error {
  return new errors.RuntimeError(`DataLoader worker ${id} exited unexpectedly: ${why}`)
}

/** The error of a worker as PyTorch tells it, of the same class where it is one of the library's. */
export function workerError(
  { name, message, stack }: { name: string; message: string; stack: string },
  id: number,
): Error {
  const classes = errors as unknown as Record<string, new (message: string) => Error>
  const known = classes[name === 'TypeError' ? 'TypeError_' : name] ?? errors.RuntimeError
  return new known(
    `Caught ${name} in DataLoader worker process ${id}.\nOriginal Traceback (most recent call last):\n${stack || `${name}: ${message}`}`,
  )
}
