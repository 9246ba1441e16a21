// torch.utils.data: datasets, samplers and the DataLoader.

export { type Collated, defaultCollate, defaultConvert } from './collate.ts'
export { DataLoader, type DataLoaderOptions, type SamplerLike } from './dataloader.ts'
export {
  ChainDataset,
  ConcatDataset,
  Dataset,
  IterableDataset,
  type MapDataset,
  type RandomSplitOptions,
  randomSplit,
  StackDataset,
  Subset,
  TensorDataset,
} from './dataset.ts'
export {
  BatchSampler,
  type GeneratorOptions,
  RandomSampler,
  type RandomSamplerOptions,
  Sampler,
  SequentialSampler,
  type Sized,
  SubsetRandomSampler,
  WeightedRandomSampler,
  type WeightedRandomSamplerOptions,
} from './sampler.ts'
export { getWorkerInfo, type WorkerInfo, workerDataset } from './worker-dataset.ts'
export { serveDataLoader } from './worker-thread.ts'
