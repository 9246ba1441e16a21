// What a worker thread runs, as text, so that it works in Node and in browsers, bundled or not; and the words in shared
// memory through which it is told what to do. The thread that asks is in threads.ts.

/**
 * Places in the shared control words, a cache line apart where threads write them. A ticket names a kernel and the chunks
 * of its launch that nobody has taken yet: kernel << 16 | first << 8 | end. Whoever exchanges it for one with a chunk less
 * owns that chunk. All else is written before the ticket and stays as it is until no chunk is pending.
 */
export const Word = {
  ticket: 0,
  /** Chunks not finished yet. */
  pending: 16,
  /** Counts launches; workers sleep on it. */
  launches: 32,
  /** Workers asleep, or about to be. */
  sleeping: 48,
  /** Workers that have started. */
  ready: 64,
  /** Set where a chunk ended in an exception. */
  failed: 80,
  params: 96,
  chunk: 97,
  extent: 98,
} as const

export const CONTROL_WORDS = 112
/** Modules lie at multiples of this many bytes; a kernel's number is its place. First the length, then the bytes. */
export const MODULE_ALIGNMENT = 256
export const MODULES_BYTES: number = MODULE_ALIGNMENT << 16

/** What a worker is given when it starts. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory
  readonly control: SharedArrayBuffer
  readonly modules: SharedArrayBuffer
  /** Its number among the threads; the thread that asks is 0. */
  readonly thread: number
  /** How often it looks for another launch before it goes to sleep. */
  readonly spins: number
}

export const workerText = `'use strict'
function serve({ memory, control, modules, thread, spins }) {
  const words = new Int32Array(control)
  const kernels = new Map()

  function compile(kernel) {
    const at = kernel * ${MODULE_ALIGNMENT}
    const length = new DataView(modules).getUint32(at, true)
    // A module is not made from shared bytes, hence the copy.
    const module = new WebAssembly.Module(new Uint8Array(modules, at + 4, length).slice())
    const env = { memory }
    for (const { name, kind } of WebAssembly.Module.imports(module)) if (kind === 'function') env[name] = Math[name]
    return new WebAssembly.Instance(module, { env }).exports.run
  }

  function work() {
    for (;;) {
      const ticket = Atomics.load(words, ${Word.ticket})
      const end = ticket & 255
      if (((ticket >>> 8) & 255) >= end) return
      // Compiled before a chunk is taken, so that nobody waits for it.
      const kernel = ticket >>> 16
      let run = kernels.get(kernel)
      if (run === undefined) {
        run = compile(kernel)
        kernels.set(kernel, run)
        continue
      }
      // The asking thread takes chunks from the front, workers from the end: each keeps its part of a tensor in its cache.
      if (Atomics.compareExchange(words, ${Word.ticket}, ticket, ticket - 1) !== ticket) continue
      const start = (end - 1) * words[${Word.chunk}]
      try {
        run(words[${Word.params}], start, Math.min(start + words[${Word.chunk}], words[${Word.extent}]), thread)
      } catch {
        Atomics.store(words, ${Word.failed}, 1)
      }
      if (Atomics.sub(words, ${Word.pending}, 1) === 1) Atomics.notify(words, ${Word.pending})
    }
  }

  Atomics.add(words, ${Word.ready}, 1)
  for (;;) {
    const seen = Atomics.load(words, ${Word.launches})
    work()
    let left = spins
    while (left > 0 && Atomics.load(words, ${Word.launches}) === seen) left--
    if (left > 0) continue
    Atomics.add(words, ${Word.sleeping}, 1)
    Atomics.wait(words, ${Word.launches}, seen)
    Atomics.sub(words, ${Word.sleeping}, 1)
  }
}
if (typeof require === 'function') serve(require('node:worker_threads').workerData)
else onmessage = (event) => serve(event.data)
`
