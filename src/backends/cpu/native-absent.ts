// Stands for native.ts, native-launch.ts and native-product.ts in the build for browsers, where no addon can be loaded.

import type { Addon } from './native.ts'

export function native(): Addon | null {
  return null
}

export function nativeReason(): string | null {
  return 'native code runs in Node only'
}

/** No kernel has a native program. */
export function nativeProgram(): number {
  return -1
}

export function nativeFlatProgram(): number {
  return -1
}
