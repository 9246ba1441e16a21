// The namespace torch.autograd.

export { type BackwardOptions, backwardMany as backward, type GradOptions, grad } from './engine.ts'
export { type Context, Function, type FunctionContext } from './function.ts'
export { type GradcheckOptions, gradcheck, gradgradcheck } from './gradcheck.ts'
export { enableGrad, inferenceMode, isGradEnabled, noGrad, setGradEnabled } from './mode.ts'
export { Node } from './node.ts'
export { type SavedTensorHooks, savedTensorsHooks } from './saved.ts'
