// The worker that runs antorcha, from the built library that `ANTORCHA_BENCH_LIBRARY` names.

import { readFileSync } from 'node:fs'
import type { Torch } from '../workload.ts'
import { serve } from './serve.ts'

const torch: typeof Torch = await import(process.env.ANTORCHA_BENCH_LIBRARY!)
const { version } = JSON.parse(
  readFileSync(new URL('../package.json', process.env.ANTORCHA_BENCH_LIBRARY!), 'utf8'),
)

// Threads and the configuration are there only in builds that have them.
const optional = torch as typeof torch & {
  setNumThreads?: (n: number) => void
  getNumThreads?: () => number
  config?: () => unknown
}
optional.setNumThreads?.(Number(process.env.ANTORCHA_BENCH_THREADS))

await serve<Torch.Tensor>({
  describe: () => {
    const configuration = optional.config?.() ?? 'WebAssembly'
    return {
      version,
      threads: optional.getNumThreads?.() ?? 1,
      configuration: typeof configuration === 'string' ? configuration : JSON.stringify(configuration),
    }
  },
  tensor: (elements, shape) => torch.tensor(elements).view(shape),
  step: (workload, inputs) => workload.antorcha(torch, inputs),
  read: (result) => result.detach().data(),
})
