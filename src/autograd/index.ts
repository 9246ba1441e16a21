// The namespace torch.autograd.

export { backwardMany as backward, type BackwardOptions, grad, type GradOptions } from './engine.ts'
export { Function, type FunctionContext } from './function.ts'
export { gradcheck, gradgradcheck, type GradcheckOptions } from './gradcheck.ts'
export { enableGrad, inferenceMode, isGradEnabled, noGrad, setGradEnabled } from './mode.ts'
export { Node } from './node.ts'
export { type SavedTensorHooks, savedTensorsHooks } from './saved.ts'
