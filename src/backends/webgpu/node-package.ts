// Where Node has WebGPU from: the optional package `webgpu` (Google's Dawn).

import type * as NodeModule from 'node:module'
import { nodeModule } from '../../core/node.ts'

/** Where the package `webgpu` is installed, or null; looked for beside the library, then beside the program. */
export function nodePackage(): string | null {
  const module = nodeModule<typeof NodeModule>('node:module')
  if (module === undefined) return null
  for (const base of [import.meta.url, `${globalThis.process.cwd()}/program.js`])
    try {
      return module.createRequire(base).resolve('webgpu')
    } catch {
      // Not there.
    }
  return null
}
