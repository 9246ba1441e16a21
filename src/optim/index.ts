// torch.optim: all optimizers, and the learning rate schedulers under lrScheduler and swaUtils.

export { Adadelta, type AdadeltaOptions } from './adadelta.ts'
export { Adafactor, type AdafactorOptions } from './adafactor.ts'
export { Adagrad, type AdagradOptions } from './adagrad.ts'
export { Adam, type AdamOptions, AdamW, type AdamWOptions } from './adam.ts'
export { Adamax, type AdamaxOptions } from './adamax.ts'
export { ASGD, type ASGDOptions } from './asgd.ts'
export { LBFGS, type LBFGSOptions } from './lbfgs.ts'
export * as lrScheduler from './lr-scheduler.ts'
export { Muon, type MuonOptions } from './muon.ts'
export { NAdam, type NAdamOptions } from './nadam.ts'
export {
  type GroupInput,
  Optimizer,
  type OptimizerStateDict,
  type ParamGroup,
  type Params,
} from './optimizer.ts'
export { RAdam, type RAdamOptions } from './radam.ts'
export { RMSprop, type RMSpropOptions } from './rmsprop.ts'
export { Rprop, type RpropOptions } from './rprop.ts'
export { SGD, type SGDOptions } from './sgd.ts'
export { SparseAdam, type SparseAdamOptions } from './sparse-adam.ts'
export * as swaUtils from './swa-utils.ts'
