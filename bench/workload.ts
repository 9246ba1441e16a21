// What a workload is: the same work written for each library. Nothing here runs.

import type * as Jax from '@jax-js/jax'
import type * as Tf from '@tensorflow/tfjs'
import type * as Torch from '../src/index.ts'

export type { Jax, Tf, Torch }

/** The inputs of a workload by name, as tensors of one library. */
export type Inputs<T> = Record<string, T>

/** One repetition of the work. What it returns is the result that is compared between the libraries, once, untimed. */
export type Step<T> = () => T

/** One row of the table. */
export interface Workload {
  readonly name: string
  /** The greatest ratio of antorcha's time to a peer's that issue 3 asks for. */
  readonly target?: Target
  /**
   * `step`: many short repetitions. `once`: one repetition takes long, so fewer rounds are run. `process`: each round is
   * a fresh process (see `ProcessWorkload`).
   */
  readonly kind?: 'step' | 'once'
  /** The tensors that every library is given. Made with antorcha, since it is the one that is always there. */
  readonly inputs?: (torch: typeof Torch) => Inputs<Torch.Tensor>
  readonly antorcha: (torch: typeof Torch, inputs: Inputs<Torch.Tensor>) => Step<Torch.Tensor>
  /** Python source that defines `step`; it finds `torch`, `nn`, `F` and the inputs by their names. */
  readonly pytorch: string
  readonly tfjs?: (tf: typeof Tf, inputs: Inputs<Tf.Tensor>) => Step<Tf.Tensor>
  readonly jax?: (jax: typeof Jax, inputs: Inputs<Jax.Array>) => Step<Jax.Array>
  /** How many first results are compared (1; a training step: 3), and how far they may differ from the largest of them. */
  readonly compare?: { readonly calls?: number; readonly tolerance?: number }
}

/** Bounds of antorcha's time over a peer's. */
export interface Target {
  /** With the native addon, against PyTorch; the second number holds on CPUs without AVX-512. */
  readonly pytorch?: number | readonly [avx512: number, elsewhere: number]
  /** Without the addon, against TensorFlow.js. */
  readonly tfjs?: number
}
