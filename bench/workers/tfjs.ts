// The worker that runs TensorFlow.js on its WebAssembly backend, with SIMD.

import { createRequire } from 'node:module'
import type { Tf } from '../workload.ts'
import { serve } from './serve.ts'

// In Node its packages are CommonJS.
const require = createRequire(import.meta.url)
const tf: typeof Tf = require('@tensorflow/tfjs')
require('@tensorflow/tfjs-backend-wasm')
await tf.setBackend('wasm')
await tf.ready()

await serve<Tf.Tensor>({
  describe: () => ({
    version: tf.version_core,
    threads: 1,
    configuration: `WebAssembly, ${tf.env().getBool('WASM_HAS_SIMD_SUPPORT') ? 'SIMD' : 'no SIMD'}, one thread in Node`,
  }),
  tensor: (elements, shape) =>
    elements instanceof BigInt64Array
      ? tf.tensor(Int32Array.from(elements, Number), [...shape], 'int32')
      : tf.tensor(elements, [...shape]),
  step: (workload, inputs) => workload.tfjs?.(tf, inputs),
  read: (result) => result.dataSync(),
  discard: (result) => result.dispose(),
})
