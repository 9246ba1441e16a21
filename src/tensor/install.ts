// Makes functions methods of Tensor: `sort(x, 0)` becomes `x.sort(0)`. The types of all methods are in methods.ts.

import { TypeError_ } from '../core/errors.ts'
import { Tensor } from './tensor.ts'

type AnyFunction = ((...args: unknown[]) => unknown) & {
  method?: boolean
  inPlace?: (...args: unknown[]) => unknown
}

function install(name: string, f: (...args: unknown[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...args: unknown[]) {
      return f(this, ...args)
    },
    writable: true,
    configurable: true,
  })
}

/**
 * Makes functions whose first argument is a tensor methods under their names, with their in-place forms. The package's main
 * entry has done so for all of `torch`; `antorcha/core` for the basic ones, so that a bundler can leave out the others.
 *
 * ```ts
 * import { installMethods, sort, tensor, topk } from 'antorcha/core'
 * installMethods({ sort, topk })
 * tensor([3, 1, 2]).sort()
 * ```
 * @param functions functions of `torch` by name; what is no function, or no method in PyTorch, is passed over
 * @throws TypeError where it is given something else than an object of functions
 */
export function installMethods(functions: Readonly<Record<string, unknown>>): void {
  if (typeof functions !== 'object' || functions === null)
    throw new TypeError_(
      `installMethods(): expected an object of functions, such as { sort, topk }, got ${String(functions)}`,
    )
  for (const [name, value] of Object.entries(functions)) {
    if (typeof value !== 'function') continue
    const f = value as AnyFunction
    if (f.method === false) continue
    install(name, f)
    if (f.inPlace !== undefined) install(`${name}_`, f.inPlace)
  }
}

/** Makes functions of a tensor properties. */
export function installProperties(getters: Readonly<Record<string, (x: Tensor) => Tensor>>): void {
  for (const [name, f] of Object.entries(getters))
    Object.defineProperty(Tensor.prototype, name, {
      get(this: Tensor) {
        return f(this)
      },
      configurable: true,
    })
}
