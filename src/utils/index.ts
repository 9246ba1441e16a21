// The namespace torch.utils.

export * as data from '../data/index.ts'
export { type Progress, type ProgressOptions, progress } from './progress.ts'
export * as tensorboard from './tensorboard/index.ts'
