// PyTorch's type promotion: what dtype an operation on mixed dtypes has.

import { Complex } from './complex.ts'
import { allDTypes, bool, complexOf, type DType, float32, getDefaultDtype, int64 } from './dtype.ts'

// Promotion of two real dtypes, in the order bool, u8, i8, i16, i32, i64, f16, bf16, f32, f64 (names as in the table
// of PyTorch's documentation, "torch.dtype attributes").
const names = ['b1', 'u1', 'i1', 'i2', 'i4', 'i8', 'f2', 'bf', 'f4', 'f8']
const table = [
  'b1 u1 i1 i2 i4 i8 f2 bf f4 f8',
  'u1 u1 i2 i2 i4 i8 f2 bf f4 f8',
  'i1 i2 i1 i2 i4 i8 f2 bf f4 f8',
  'i2 i2 i2 i2 i4 i8 f2 bf f4 f8',
  'i4 i4 i4 i4 i4 i8 f2 bf f4 f8',
  'i8 i8 i8 i8 i8 i8 f2 bf f4 f8',
  'f2 f2 f2 f2 f2 f2 f2 f4 f4 f8',
  'bf bf bf bf bf bf f4 bf f4 f8',
  'f4 f4 f4 f4 f4 f4 f4 f4 f4 f8',
  'f8 f8 f8 f8 f8 f8 f8 f8 f8 f8',
].map((row) => row.split(' ').map((name) => allDTypes[names.indexOf(name)]))

/** The dtype that holds values of both, as `torch.promote_types`. */
export function promoteTypes(a: DType, b: DType): DType {
  if (a.kind !== 'complex' && b.kind !== 'complex') return table[a.index][b.index]
  // complex128 where one of the two needs it.
  return complexOf(a) === complexOf(b) || complexOf(a).itemsize > complexOf(b).itemsize
    ? complexOf(a)
    : complexOf(b)
}

/** What takes part in promotion: a tensor's dtype and rank, or a bare number or boolean. */
export type PromotionOperand =
  | { readonly dtype: DType; readonly ndim: number }
  | Complex
  | number
  | bigint
  | boolean

const rank = { bool: 0, int: 1, float: 2, complex: 3 }

function scalarDType(value: Complex | number | bigint | boolean): DType {
  if (value instanceof Complex) return complexOf(getDefaultDtype())
  if (typeof value === 'boolean') return bool
  if (typeof value === 'bigint' || Number.isInteger(value)) return int64
  return getDefaultDtype()
}

/**
 * The dtype of an operation's result, as `torch.result_type`. Tensors with dimensions come first, then
 * tensors without, then numbers; a later group decides only where it is of a higher category (bool, int, float).
 * A whole number counts as an integer, any other as a float.
 */
export function resultType(operands: readonly PromotionOperand[]): DType {
  let dimensioned: DType | null = null
  let zeroDim: DType | null = null
  let wrapped: DType | null = null
  for (const operand of operands) {
    if (typeof operand !== 'object' || operand instanceof Complex) {
      const d = scalarDType(operand)
      wrapped = wrapped === null ? d : promoteTypes(wrapped, d)
    } else if (operand.ndim === 0)
      zeroDim = zeroDim === null ? operand.dtype : promoteTypes(zeroDim, operand.dtype)
    else dimensioned = dimensioned === null ? operand.dtype : promoteTypes(dimensioned, operand.dtype)
  }
  const combined = combineCategories(combineCategories(dimensioned, zeroDim), wrapped)
  return combined ?? float32
}

function combineCategories(higher: DType | null, lower: DType | null): DType | null {
  if (higher === null) return lower
  if (lower === null || rank[higher.kind] >= rank[lower.kind]) return higher
  // A complex number makes a float tensor complex, but no wider.
  if (lower.kind === 'complex' && higher.kind === 'float') return complexOf(higher)
  return promoteTypes(higher, lower)
}

/** The dtype in which the result of a function such as `exp` is given: integers become the default float. */
export function floatResult(dtype: DType): DType {
  return dtype.isInexact ? dtype : getDefaultDtype()
}

/** Whether values of `from` may be written to a tensor of `to` in place: never float to int, nor number to bool. */
export function canCast(from: DType, to: DType): boolean {
  return rank[from.kind] <= rank[to.kind]
}

/** The dtype in which sums are accumulated and, for integers, returned. */
export function sumDType(dtype: DType): DType {
  return dtype.isInexact ? dtype : int64
}
