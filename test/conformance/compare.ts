// Comparing the library's results with recorded ones: shape, dtype, then element by element within a tolerance.

import { Complex } from '../../src/core/complex.ts'
import { Mismatch } from './case.ts'
import { decodeComplex, decodeFloat, type Json, marker } from './decode.ts'
import { bytesOfBase64, elementsOf, type RecordedTensor } from './elements.ts'
import { camelCase, type Tensor, torch } from './library.ts'

/** `|actual - expected| <= atol + rtol * |expected| + ofLargest * max |expected|`, the largest element of the tensor. */
export interface Tolerance {
  readonly rtol: number
  readonly atol: number
  readonly ofLargest?: number
}

export const exact: Tolerance = { rtol: 0, atol: 0 }

/** The bytes of a tensor's elements in C order. */
export async function bytesOf(tensor: Tensor): Promise<Uint8Array> {
  let x = tensor.detach().resolveConj()
  if (x.device.type !== 'cpu') x = await x.cpu()
  x = x.contiguous()
  const start = x.offset * x.dtype.itemsize
  return x.storage.bytes().slice(start, start + x.numel() * x.dtype.itemsize)
}

/** The elements of a tensor in C order: numbers, or bigints for int64; of complex numbers the parts in turn. */
export async function elementsOfTensor(tensor: Tensor): Promise<ArrayLike<number> | ArrayLike<bigint>> {
  return elementsOf(await bytesOf(tensor), tensor.dtype.name)
}

export function isTensor(value: unknown): value is Tensor {
  return value instanceof torch.Tensor
}

/** Throws a `Mismatch` unless `actual` is the recorded value. `fields` names the results of a named tuple. */
export async function compare(
  actual: unknown,
  expected: Json,
  tolerance: Tolerance,
  path: string,
  fields?: readonly string[],
): Promise<void> {
  if (Array.isArray(expected)) {
    const items = elementsOfSequence(actual, fields)
    if (items === null) throw new Mismatch(`${path}: expected a sequence, got ${show(actual)}`)
    if (items.length !== expected.length)
      throw new Mismatch(`${path}: expected ${expected.length} items, got ${items.length}`)
    for (let i = 0; i < items.length; i++)
      await compare(items[i], expected[i], tolerance, `${path}[${fields?.[i] ?? i}]`)
    return
  }
  const marked = marker(expected)
  if (marked === null) {
    if (expected !== null && typeof expected === 'object') {
      for (const [key, value] of Object.entries(expected))
        await compare(lookUp(actual, key), value, tolerance, `${path}.${key}`)
      return
    }
    const value = actual === undefined ? null : typeof actual === 'bigint' ? Number(actual) : actual
    if (value !== expected)
      throw new Mismatch(`${path}: expected ${JSON.stringify(expected)}, got ${show(actual)}`)
    return
  }
  const [kind, content] = marked
  switch (kind) {
    case '$skip':
      return
    case '$t':
      return compareTensor(
        actual,
        content as unknown as RecordedTensor,
        tolerance,
        path,
        (expected as { cmp?: string }).cmp,
      )
    case '$f': {
      const number = decodeFloat(content)
      if (typeof actual !== 'number' || !close(actual, number, tolerance))
        throw new Mismatch(`${path}: expected ${number}, got ${show(actual)}`)
      return
    }
    case '$i':
      if (
        (typeof actual !== 'bigint' && typeof actual !== 'number') ||
        BigInt(actual) !== BigInt(content as string)
      )
        throw new Mismatch(`${path}: expected ${content}, got ${show(actual)}`)
      return
    case '$c': {
      const wanted = decodeComplex(content)
      const got = typeof actual === 'number' ? new Complex(actual) : actual
      if (!(got instanceof Complex) || !closeComplex(got, wanted, tolerance))
        throw new Mismatch(`${path}: expected ${wanted}, got ${show(actual)}`)
      return
    }
    case '$dtype':
      if (String(actual) !== `torch.${content}`)
        throw new Mismatch(`${path}: expected torch.${content}, got ${show(actual)}`)
      return
    case '$tuple':
      return compare(actual, content, tolerance, path)
    case '$odict':
    case '$dict': {
      const entries = Array.isArray(content) ? (content as [Json, Json][]) : Object.entries(content as object)
      const keys = keysOf(actual)
      if (keys === null) throw new Mismatch(`${path}: expected a dict, got ${show(actual)}`)
      // Dicts are equal whatever their order; of an OrderedDict the order matters.
      const list = (names: unknown[]) => JSON.stringify(kind === '$odict' ? names : names.map(String).sort())
      const expectedKeys = entries.map(([key]) => key)
      if (list(keys) !== list(expectedKeys))
        throw new Mismatch(`${path}: expected keys ${list(expectedKeys)}, got ${list(keys)}`)
      for (const [key, value] of entries)
        await compare(lookUp(actual, key), value, tolerance, `${path}.${key}`)
      return
    }
    default:
      throw new Error(`unknown kind of recorded value: ${kind}`)
  }
}

/** The items of an array, a tuple, or an object with named results in the order of `fields`. */
function elementsOfSequence(value: unknown, fields?: readonly string[]): unknown[] | null {
  if (Array.isArray(value)) return value
  if (value === null || typeof value !== 'object' || isTensor(value)) return null
  if (fields !== undefined) {
    const record = value as Record<string, unknown>
    const names = fields.map((field) => (field in record ? field : camelCase(field)))
    if (names.every((name) => name in record)) return names.map((name) => record[name])
  }
  return Symbol.iterator in value ? [...(value as Iterable<unknown>)] : null
}

function keysOf(value: unknown): unknown[] | null {
  if (value instanceof Map) return [...value.keys()]
  if (value === null || typeof value !== 'object' || Array.isArray(value) || isTensor(value)) return null
  return Object.keys(value)
}

function lookUp(value: unknown, key: unknown): unknown {
  return value instanceof Map ? value.get(key) : (value as Record<string, unknown> | null)?.[String(key)]
}

async function compareTensor(
  actual: unknown,
  expected: RecordedTensor,
  given: Tolerance,
  path: string,
  mode?: string,
): Promise<void> {
  const wanted = elementsOf(bytesOfBase64(expected.data), expected.dtype)
  if (!isTensor(actual)) throw new Mismatch(`${path}: expected a tensor, got ${show(actual)}`)
  if (actual.dtype.name !== expected.dtype)
    throw new Mismatch(`${path}: expected dtype ${expected.dtype}, got ${actual.dtype.name}`)
  const shape = [...actual.shape]
  if (shape.length !== expected.shape.length || shape.some((n, i) => n !== expected.shape[i]))
    throw new Mismatch(`${path}: expected shape [${expected.shape}], got [${shape}]`)
  const got = await elementsOfTensor(actual)
  if (mode === 'set' && !actual.dtype.isComplex)
    return compareSorted(got, wanted, shape.at(-1) ?? 1, given, path)
  const tolerance = withLargest(given, wanted)
  if (actual.dtype.isComplex)
    return compareComplex(got as ArrayLike<number>, wanted as ArrayLike<number>, shape, tolerance, path, mode)
  const transform = mode === 'abs' ? Math.abs : (x: number) => x
  for (let i = 0; i < wanted.length; i++) {
    const [a, e] = [got[i], wanted[i]]
    if (a === e) continue
    if (typeof a === 'bigint' || typeof e === 'bigint' || !close(transform(a), transform(e), tolerance))
      throw new Mismatch(`${path}: expected ${e} at ${indexText(i, shape)}, got ${a}${gap(a, e)}`)
  }
}

const complexAt = (elements: ArrayLike<number>, i: number): Complex =>
  new Complex(elements[2 * i], elements[2 * i + 1])

function compareComplex(
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  shape: readonly number[],
  tolerance: Tolerance,
  path: string,
  mode?: string,
): void {
  const n = wanted.length / 2
  const row = shape.at(-1) ?? 1
  // Of numbers in any order each expected one is looked for among those of its row that are left.
  const taken = new Set<number>()
  for (let i = 0; i < n; i++) {
    const e = complexAt(wanted, i)
    if (mode === 'set') {
      const start = Math.floor(i / row) * row
      const candidates = Array.from({ length: row }, (_, j) => start + j).filter((j) => !taken.has(j))
      const found = candidates.find((j) => closeComplex(complexAt(got, j), e, tolerance))
      if (found === undefined) throw new Mismatch(`${path}: expected ${e} in row ${start / row}`)
      taken.add(found)
      continue
    }
    const a = complexAt(got, i)
    const same =
      mode === 'abs'
        ? close(Math.hypot(a.re, a.im), Math.hypot(e.re, e.im), tolerance)
        : closeComplex(a, e, tolerance)
    if (!same) throw new Mismatch(`${path}: expected ${e} at ${indexText(i, shape)}, got ${a}`)
  }
}

// As torch.isclose has it: the distance in the plane for finite numbers, part by part for others.
function closeComplex(a: Complex, e: Complex, tolerance: Tolerance): boolean {
  const finite = [a.re, a.im, e.re, e.im].every(Number.isFinite)
  if (!finite) return close(a.re, e.re, tolerance) && close(a.im, e.im, tolerance)
  return Math.hypot(a.re - e.re, a.im - e.im) <= tolerance.atol + tolerance.rtol * Math.hypot(e.re, e.im)
}

function withLargest(tolerance: Tolerance, elements: ArrayLike<number | bigint>): Tolerance {
  if (tolerance.ofLargest === undefined) return tolerance
  let largest = 0
  for (let i = 0; i < elements.length; i++) {
    const magnitude = Math.abs(Number(elements[i]))
    if (Number.isFinite(magnitude)) largest = Math.max(largest, magnitude)
  }
  return { ...tolerance, atol: tolerance.atol + tolerance.ofLargest * largest }
}

function compareSorted(
  got: ArrayLike<number | bigint>,
  wanted: ArrayLike<number | bigint>,
  row: number,
  tolerance: Tolerance,
  path: string,
): void {
  const sorted = (values: ArrayLike<number | bigint>, start: number) =>
    Array.from({ length: row }, (_, i) => Number(values[start + i])).sort((a, b) => a - b)
  for (let start = 0; start < wanted.length; start += row) {
    const [a, e] = [sorted(got, start), sorted(wanted, start)]
    if (a.some((x, i) => !close(x, e[i], tolerance)))
      throw new Mismatch(`${path}: expected the numbers ${e} in row ${start / row}, got ${a}`)
  }
}

/** NaN equals NaN, an infinity only itself. */
export function close(actual: number, expected: number, { rtol, atol }: Tolerance): boolean {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return true
  if (!Number.isFinite(actual) || !Number.isFinite(expected)) return false
  return Math.abs(actual - expected) <= atol + rtol * Math.abs(expected)
}

function gap(a: number | bigint, e: number | bigint): string {
  return typeof a === 'number' && typeof e === 'number' ? ` (off by ${Math.abs(a - e).toPrecision(2)})` : ''
}

function indexText(flat: number, shape: readonly number[]): string {
  const index: number[] = []
  let rest = flat
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    index.unshift(rest % shape[dim])
    rest = Math.floor(rest / shape[dim])
  }
  return `[${index.join(', ')}]`
}

/** A value for a message: short, and never an error itself. */
export function show(value: unknown): string {
  let text: string
  try {
    text = isTensor(value) ? `tensor of ${value.dtype.name} [${[...value.shape]}]` : String(value)
  } catch {
    text = typeof value
  }
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
