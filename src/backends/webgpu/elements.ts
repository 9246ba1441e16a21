// How elements of each dtype lie in 32-bit words, as WGSL: loads, stores and additions that may meet. Every operand is
// an array of words, so that tensors of different dtypes can share memory.

import type { DType } from '../../core/dtype.ts'

/** The text that reads the element at `index` (an i32) of the array `name`; `atomic` says that its words are atomic. */
export function loadText(dtype: DType, name: string, index: string, atomic: boolean): string {
  const word = (at: string): string => (atomic ? `atomicLoad(&${name}[${at}])` : `${name}[${at}]`)
  const part = (shift: number): string => {
    const [places, width] = shift === 1 ? [1, 16] : [3, 8]
    return `(${word(`(${index}) >> ${shift}u`)} >> (u32((${index}) & ${places}) * ${width}u))`
  }
  switch (dtype.name) {
    case 'float32':
      return `bitcast<f32>(${word(index)})`
    case 'int32':
      return `bitcast<i32>(${word(index)})`
    case 'int64':
      return `vec2<u32>(${word(`2 * (${index})`)}, ${word(`2 * (${index}) + 1`)})`
    case 'bool':
      return `((${part(2)} & 0xffu) != 0u)`
    default:
      return decoded(dtype, part(dtype.itemsize === 2 ? 1 : 2))
  }
}

/** The value whose bits are the lowest of a word; the bits above them may be anything. */
function decoded(dtype: DType, bits: string): string {
  switch (dtype.name) {
    case 'float16':
      return `halfToFloat(${bits} & 0xffffu)`
    case 'bfloat16':
      return `bitcast<f32>(${bits} << 16u)`
    case 'int16':
      return `(bitcast<i32>(${bits} << 16u) >> 16u)`
    case 'int8':
      return `(bitcast<i32>(${bits} << 24u) >> 24u)`
    default:
      return `bitcast<i32>(${bits} & 0xffu)`
  }
}

/** The bits of a value of a dtype of one or two bytes, in the lowest bits of a u32; those above are zero. */
function encoded(dtype: DType, value: string): string {
  switch (dtype.name) {
    case 'float16':
      return `floatToHalf(${value})`
    case 'bfloat16':
      return `floatToBfloat16(${value})`
    case 'int16':
      return `(bitcast<u32>(${value}) & 0xffffu)`
    case 'bool':
      return `select(0u, 1u, ${value})`
    default:
      return `(bitcast<u32>(${value}) & 0xffu)`
  }
}

/** Statements that write `value` to the element at `index`. */
export function storeText(
  dtype: DType,
  name: string,
  index: string,
  value: string,
  atomic: boolean,
): readonly string[] {
  const word = (at: string, bits: string): string =>
    atomic ? `atomicStore(&${name}[${at}], ${bits});` : `${name}[${at}] = ${bits};`
  switch (dtype.itemsize) {
    case 8:
      return [word(`2 * (${index})`, `${value}.x`), word(`2 * (${index}) + 1`, `${value}.y`)]
    case 4:
      return [word(index, `bitcast<u32>(${value})`)]
    default: {
      const [shift, places, width] = dtype.itemsize === 2 ? [1, 1, 16] : [2, 3, 8]
      return [
        `putBits(&${name}[(${index}) >> ${shift}u], u32((${index}) & ${places}) * ${width}u, ${width}u, ${encoded(dtype, value)});`,
      ]
    }
  }
}

/** Statements that add `value` to the element at `index` of an array of atomic words, where others may do so, too. */
export function addText(dtype: DType, name: string, index: string, value: string): readonly string[] {
  switch (dtype.name) {
    case 'float32':
      return [`addFloat(&${name}[${index}], ${value});`]
    case 'int32':
      return [`atomicAdd(&${name}[${index}], bitcast<u32>(${value}));`]
    case 'int64':
      // Carries are added as they arise, so that the sum is right once all have been added.
      return [
        '{',
        `  let low = atomicAdd(&${name}[2 * (${index})], ${value}.x);`,
        `  atomicAdd(&${name}[2 * (${index}) + 1], ${value}.y + select(0u, 1u, low + ${value}.x < low));`,
        '}',
      ]
    default: {
      const [shift, places, width] = dtype.itemsize === 2 ? [1, 1, 16] : [2, 3, 8]
      const sum =
        dtype.name === 'bool'
          ? encoded(dtype, `(((old >> shift) & 0xffu) != 0u || ${value})`)
          : encoded(dtype, `(${decoded(dtype, '(old >> shift)')} + ${value})`)
      return [
        '{',
        `  let shift = u32((${index}) & ${places}) * ${width}u;`,
        `  let mask = ${width === 16 ? '0xffffu' : '0xffu'} << shift;`,
        `  var old = atomicLoad(&${name}[(${index}) >> ${shift}u]);`,
        '  loop {',
        `    let word = (old & ~mask) | (${sum} << shift);`,
        `    let result = atomicCompareExchangeWeak(&${name}[(${index}) >> ${shift}u], old, word);`,
        '    if (result.exchanged) { break; }',
        '    old = result.old_value;',
        '  }',
        '}',
      ]
    }
  }
}
