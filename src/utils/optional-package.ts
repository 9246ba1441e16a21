// Packages that a program may have installed beside this library: progress bars, plotting. They are asked for when they
// are needed and are no part of any bundle.

import type * as NodeModule from 'node:module'
import { RuntimeError } from '../core/errors.ts'
import { nodeModule } from '../core/node.ts'

/** A package of the running program's, or of the library's; null where it is not installed, and in browsers. */
export function optionalPackage<Package>(name: string): Package | null {
  const loader = nodeModule<typeof NodeModule>('node:module')
  if (loader === undefined) return null
  for (const from of [`${process.cwd()}/`, import.meta.url])
    try {
      return loader.createRequire(from)(name) as Package
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw error
    }
  return null
}

/** The same, but throws a RuntimeError that says how to install what is missing, and what for. */
export function neededPackage<Package>(name: string, purpose: string): Package {
  const found = optionalPackage<Package>(name)
  if (found !== null) return found
  throw new RuntimeError(`${purpose} needs the package ${name} and Node 20.16 or later: npm install ${name}`)
}
