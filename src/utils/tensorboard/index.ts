// The namespace torch.utils.tensorboard.

export {
  type AddOptions,
  type HistogramOptions,
  type HparamsOptions,
  type ImageOptions,
  SummaryWriter,
  type SummaryWriterOptions,
} from './writer.ts'
