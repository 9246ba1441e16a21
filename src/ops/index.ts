// Every function that `torch` has at its top level.

export * from './tensor-functions.ts'
export * from './joining.ts'
export {
  arange,
  asTensor,
  asarray,
  empty,
  emptyLike,
  eye,
  fromArray,
  full,
  isTensor,
  linspace,
  logspace,
  numel,
  ones,
  tensor,
  zeros,
} from './creation.ts'
export { chainMatmul } from './matmul.ts'
export { stdMean, varMean } from './reductions.ts'
export * from './random.ts'
