// The namespace torch.utils.

export * as data from '../data/index.ts'
export { Plot, type PlotOptions, type PlotPoint, type PlotSize, plot } from './plot.ts'
export { type Progress, type ProgressOptions, progress } from './progress.ts'
export * as tensorboard from './tensorboard/index.ts'
