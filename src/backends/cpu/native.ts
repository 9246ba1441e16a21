// The native addon (native/): whether there is one, and its interface. Everything works without it, only slower.

import type * as NodeModule from 'node:module'
import type * as NodeUrl from 'node:url'
import type * as V8 from 'node:v8'
import type * as Vm from 'node:vm'
import { nodeModule } from '../../core/node.ts'
import type { Arena, Collector } from './arena.ts'
import { addonInterface } from './native-opcodes.ts'
import { getNumThreads, onThreadCountChange } from './thread-count.ts'

/** What the addon exports. Pointers are byte offsets in the memory that was attached. */
export interface Addon {
  /** What it was compiled for; see `addonInterface`. */
  interface?(): string
  attach(memory: Uint8Array): void
  /** `avx512`, `avx2` or `baseline`. */
  instructionSet(): string
  setThreads(count: number): void
  /** Registers a program (native-program.ts) and returns its number. */
  program(code: Int32Array, constants: BigInt64Array): number
  /** Runs a program with the launch parameters at `parameters`. */
  run(program: number, parameters: number): void
  /** Computes a product whose dimensions stand at `launch` (native/product.h); false where it has too many. */
  multiply(launch: number): boolean
  /** Reads bytes of an open file; returns their CRC-32, or a negative number where that failed. */
  readSummed(descriptor: number, position: number, target: Uint8Array): number
  /** Writes bytes to an open file; returns as `readSummed`. */
  writeSummed(descriptor: number, position: number, source: Uint8Array): number
  /** From now on `drain` tells `id` once `object` has been collected. */
  watch(object: object, id: number): void
  drain(ids: Int32Array): number
}

type Found = { addon: Addon; reason: null } | { addon: null; reason: string }

let found: Found | null = null

/** The package with the addon for this machine. */
function packageName(): string {
  const { platform, arch } = globalThis.process
  return `@antorcha/native-${platform}-${arch}`
}

// Built in the repository by node-gyp, which lies elsewhere seen from src/backends/cpu than from dist; or installed for
// this platform. Nothing outside the library's own folder is looked at: an addon is code that runs.
function candidates(): string[] {
  const url = nodeModule<typeof NodeUrl>('node:url')
  const root = /\/src\/backends\/cpu\/[^/]*$/.test(import.meta.url) ? '../../../' : '../'
  const built = new URL(`${root}native/build/Release/antorcha.node`, import.meta.url)
  return [...(url === undefined ? [] : [url.fileURLToPath(built)]), packageName()]
}

function find(): Found {
  if (globalThis.process?.versions?.node === undefined)
    return { addon: null, reason: 'native code runs in Node only' }
  if (globalThis.process.env.ANTORCHA_NATIVE === '0')
    return { addon: null, reason: 'turned off by ANTORCHA_NATIVE=0' }
  const module = nodeModule<typeof NodeModule>('node:module')
  if (module === undefined) return { addon: null, reason: 'it needs Node 20.16 or later' }
  const require = module.createRequire(import.meta.url)
  const reasons: string[] = []
  for (const path of candidates())
    try {
      const addon = require(path) as Addon
      const given = addon.interface?.()
      if (given === addonInterface()) return { addon, reason: null }
      reasons.push(
        `${path} belongs to another version of antorcha (its interface is ${given ?? 'older'}, not ${addonInterface()})`,
      )
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'MODULE_NOT_FOUND') reasons.push(`${path}: ${message}`)
    }
  if (reasons.length > 0) return { addon: null, reason: reasons.join('; ') }
  return { addon: null, reason: `${packageName()} is not installed, and no compiler built it here` }
}

/**
 * The addon, working on an arena's memory, or null where there is none. Loaded when first asked for: a program that only
 * touches small tensors does without.
 */
export function native(arena: Arena): Addon | null {
  if (found === null) {
    found = arena.shared ? find() : { addon: null, reason: 'there is no shared memory here' }
    const { addon } = found
    if (addon !== null) {
      addon.attach(arena.heap.u8)
      addon.setThreads(getNumThreads())
      onThreadCountChange(() => addon.setThreads(getNumThreads()))
      arena.collector = collectorOf(addon)
    }
  }
  return found.addon
}

/** Why there is no addon, or null. */
export function nativeReason(arena: Arena): string | null {
  native(arena)
  return found!.reason
}

/** The garbage collector, through finalizers that run inside it and a way to call it. */
function collectorOf(addon: Addon): Collector | null {
  const v8 = nodeModule<typeof V8>('node:v8')
  const vm = nodeModule<typeof Vm>('node:vm')
  if (v8 === undefined || vm === undefined) return null
  v8.setFlagsFromString('--expose-gc')
  const collect = vm.runInNewContext('gc') as unknown
  if (globalThis.gc === undefined) v8.setFlagsFromString('--no-expose-gc')
  if (typeof collect !== 'function') return null
  const ids = new Int32Array(1024)
  return {
    watch: addon.watch,
    collect: (kind) => {
      // V8 11 takes any argument at all as a request for young objects only.
      if (kind === 'major') collect()
      else collect({ type: 'minor', execution: 'sync' })
    },
    drain: (released) => {
      for (;;) {
        const count = addon.drain(ids)
        for (let i = 0; i < count; i++) released(ids[i])
        if (count < ids.length) return
      }
    },
  }
}
