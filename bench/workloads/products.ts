// Matrix products in float32.

import type { Tf, Workload } from '../workload.ts'

function product(n: number): Workload {
  return {
    name: `matmul ${n}`,
    target: { pytorch: [0.55, 1], tfjs: 1 },
    inputs: (torch) => ({ a: torch.randn(n, n), b: torch.randn(n, n) }),
    antorcha: (torch, { a, b }) => {
      return () => torch.matmul(a, b)
    },
    pytorch: 'def step(): return torch.matmul(a, b)',
    tfjs: (tf, { a, b }) => {
      return () => tf.matMul(a as Tf.Tensor2D, b as Tf.Tensor2D)
    },
    jax: ({ numpy }, { a, b }) => {
      return () => numpy.matmul(a.ref, b.ref)
    },
  }
}

export const products: readonly Workload[] = [256, 512, 1024, 2048].map(product)
