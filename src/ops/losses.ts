// The losses of nn.functional.

export * from './binary-losses.ts'
export * from './cross-entropy.ts'
export * from './ctc-loss.ts'
export * from './likelihood-losses.ts'
export type { Loss, LossReduction, ReductionOption, WeightedLoss, WeightedOptions } from './loss.ts'
export * from './margin-losses.ts'
export { type NllLoss, type NllLossOptions, nllLoss } from './nll-loss.ts'
export * from './regression-losses.ts'
