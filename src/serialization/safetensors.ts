// What `torch.safetensors` exports.

export {
  load,
  loadFile,
  loadFileAsync,
  type NamedTensors,
  SafeOpen,
  type SaveOptions,
  safeOpen,
  save,
  saveFile,
  saveFileAsync,
} from './safetensors-file.ts'
export { loadModel, saveModel } from './safetensors-model.ts'
export { loadSharded, type SaveShardedOptions, saveSharded } from './safetensors-shards.ts'
