// The namespace torch.nn.parameter.

export { Buffer, Parameter } from './parameter.ts'
export { isLazy, UninitializedBuffer, UninitializedParameter } from './uninitialized.ts'
