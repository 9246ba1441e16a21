// The worker that runs jax-js on its WebAssembly backend.

import { readFileSync } from 'node:fs'
import * as jax from '@jax-js/jax'
import type { Jax } from '../workload.ts'
import { serve } from './serve.ts'

await jax.init('wasm')
jax.defaultDevice('wasm')
const manifest = new URL('../package.json', import.meta.resolve('@jax-js/jax'))

await serve<Jax.Array>({
  describe: () => ({
    version: JSON.parse(readFileSync(manifest, 'utf8')).version,
    threads: 1,
    configuration: 'WebAssembly',
  }),
  tensor: (elements, shape) => {
    const array =
      elements instanceof BigInt64Array
        ? jax.numpy.array(Int32Array.from(elements, Number), { dtype: jax.numpy.int32 })
        : jax.numpy.array(elements)
    return array.reshape([...shape])
  },
  step: (workload, inputs) => workload.jax?.(jax, inputs),
  read: (result) => result.ref.dataSync(),
  discard: (result) => result.dispose(),
  ready: (result) => jax.blockUntilReady(result),
})
