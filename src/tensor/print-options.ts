// How tensors print: torch.setPrintoptions, getPrintoptions and printoptions (for the time of one call).

import { ValueError } from '../core/errors.ts'

export interface PrintOptions {
  /** Digits after the point. Default 4. */
  precision: number
  /** With more elements than this only the edges are printed. Default 1000; may be Infinity. */
  threshold: number
  /** How many elements are printed at each end of a dimension that is summarised. Default 3. */
  edgeitems: number
  /** Characters in a line. Default 80. */
  linewidth: number
  /** Scientific notation for floats always, never, or (null) where the magnitudes ask for it. */
  sciMode: boolean | null
}

/** A named set of options: `'default'`, `'short'` (two digits, two edge items) or `'full'` (never summarises). */
export type PrintProfile = 'default' | 'short' | 'full'

/** The options in force; read by print.ts. */
export const printOptions: PrintOptions = {
  precision: 4,
  threshold: 1000,
  edgeitems: 3,
  linewidth: 80,
  sciMode: null,
}

const profiles: Record<PrintProfile, Omit<PrintOptions, 'sciMode'>> = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Infinity, edgeitems: 3, linewidth: 80 },
}

/**
 * Changes how tensors print. A `profile` is applied first, the other options over it; what is not given stays, but
 * `sciMode` goes back to null (automatic), as in PyTorch.
 *
 * @throws ValueError for an unknown profile.
 */
export function setPrintoptions(options: Partial<PrintOptions> & { profile?: PrintProfile | null }): void {
  const { profile, sciMode, ...others } = options
  if (profile !== undefined && profile !== null) {
    if (!Object.hasOwn(profiles, profile))
      throw new ValueError(`unknown print profile '${profile}'; there are 'default', 'short' and 'full'`)
    Object.assign(printOptions, profiles[profile])
  }
  for (const [key, value] of Object.entries(others)) {
    if (!Object.hasOwn(printOptions, key))
      throw new TypeError(`setPrintoptions() got an unexpected option '${key}'`)
    if (value !== undefined && value !== null) Object.assign(printOptions, { [key]: value })
  }
  printOptions.sciMode = sciMode ?? null
}

/** A copy of the options in force, which `setPrintoptions` takes. */
export function getPrintoptions(): PrintOptions {
  return { ...printOptions }
}

/** Runs `body` with other print options and restores those in force before: PyTorch's `with printoptions(...)`. */
export function printoptions<R>(
  options: Partial<PrintOptions> & { profile?: PrintProfile | null },
  body: () => R,
): R {
  const before = getPrintoptions()
  setPrintoptions(options)
  try {
    return body()
  } finally {
    Object.assign(printOptions, before)
  }
}
