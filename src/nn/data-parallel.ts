// DataParallel: PyTorch's wrapper for several GPUs, of which there are none here.

import type { Layer } from './module.ts'
import { Module } from './module.ts'

/** Calls the module it wraps; kept so that models and state dicts written for it work. */
export class DataParallel<M extends Module = Layer> extends Module {
  module: M

  constructor(module: M) {
    super()
    this.module = module
  }

  override forward(...inputs: Parameters<M['forward']>): ReturnType<M['forward']> {
    return (this.module as unknown as (...values: unknown[]) => unknown)(...inputs) as ReturnType<
      M['forward']
    >
  }
}
