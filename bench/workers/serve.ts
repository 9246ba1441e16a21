// The part that workers in JavaScript share: answers requests with one library.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Inputs, Step, Workload } from '../workload.ts'
import { workloadNamed } from '../workloads/index.ts'
import { type Answer, type Description, type Request, sampleStep, type TensorFile } from './protocol.ts'

/** One library, with `T` its tensors. */
export interface Library<T> {
  describe(): Description
  tensor(elements: Float32Array | BigInt64Array, shape: readonly number[]): T
  /** The workload's step, or undefined where it is not written for this library. */
  step(workload: Workload, inputs: Inputs<T>): Step<T> | undefined
  /** All elements of a result. */
  read(result: T): ArrayLike<number | bigint>
  /** Lets go of a result as users of the library do. */
  discard?(result: T): void
  /** Waits until a result is there, where the library computes it later. */
  ready?(result: T): Promise<unknown>
}

function elementsOf({ dtype, path }: TensorFile): Float32Array | BigInt64Array {
  const { buffer } = new Uint8Array(readFileSync(path))
  return dtype === 'int64' ? new BigInt64Array(buffer) : new Float32Array(buffer)
}

function sample(elements: ArrayLike<number | bigint>): number[] {
  const step = sampleStep(elements.length)
  const out: number[] = []
  for (let i = 0; i < elements.length; i += step) out.push(Number(elements[i]))
  return out
}

/** Answers the requests on standard input until it closes. */
export async function serve<T>(library: Library<T>): Promise<void> {
  // Standard output is for answers; what libraries have to say goes to the terminal.
  console.log = console.error
  let step: Step<T> = () => {
    throw new Error('no workload is prepared')
  }

  function time(repetitions: number): number {
    const start = performance.now()
    if (library.discard === undefined) for (let i = 0; i < repetitions; i++) step()
    else for (let i = 0; i < repetitions; i++) library.discard(step())
    return performance.now() - start
  }

  async function timeAwaited(repetitions: number): Promise<number> {
    const start = performance.now()
    for (let i = 0; i < repetitions; i++) {
      const result = step()
      await library.ready!(result)
      library.discard?.(result)
    }
    return performance.now() - start
  }

  async function answer(request: Request): Promise<Answer> {
    switch (request.type) {
      case 'describe':
        return { type: 'description', description: library.describe() }
      case 'prepare': {
        const inputs: Inputs<T> = {}
        for (const [name, file] of Object.entries(request.inputs))
          inputs[name] = library.tensor(elementsOf(file), file.shape)
        const made = library.step(workloadNamed(request.workload), inputs)
        if (made === undefined) return { type: 'unsupported' }
        step = made
        const results: number[][] = []
        for (let i = 0; i < request.calls; i++) {
          const result = step()
          await library.ready?.(result)
          results.push(sample(library.read(result)))
        }
        return { type: 'results', results }
      }
      case 'block': {
        const { repetitions } = request
        const milliseconds = library.ready ? await timeAwaited(repetitions) : time(repetitions)
        return { type: 'elapsed', milliseconds }
      }
      case 'memory':
        return { type: 'memory', bytes: process.resourceUsage().maxRSS * 1024 }
    }
  }

  for await (const line of createInterface({ input: process.stdin })) {
    let said: Answer
    try {
      said = await answer(JSON.parse(line) as Request)
    } catch (error) {
      said = {
        type: 'error',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }
    }
    process.stdout.write(`${JSON.stringify(said)}\n`)
  }
  // jax-js keeps workers alive.
  process.exit()
}
