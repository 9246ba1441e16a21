// torch.optim.lr_scheduler: all learning rate schedulers.

export { ChainedScheduler, SequentialLR } from './composed-schedulers.ts'
export {
  CosineAnnealingLR,
  type CosineAnnealingOptions,
  CosineAnnealingWarmRestarts,
  type WarmRestartsOptions,
} from './cosine-schedulers.ts'
export { CyclicLR, type CyclicLROptions, OneCycleLR, type OneCycleLROptions } from './cyclic-schedulers.ts'
export {
  ConstantLR,
  type ConstantLROptions,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  type LinearLROptions,
  type LrLambda,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  type PolynomialLROptions,
  StepLR,
  type StepLROptions,
} from './decay-schedulers.ts'
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './reduce-on-plateau.ts'
export {
  type AnyOptimizer,
  LRScheduler,
  type SchedulerOptions,
  type SchedulerStateDict,
} from './scheduler.ts'
