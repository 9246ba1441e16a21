// The namespace torch.nn.modules: hooks that run for every module.

export {
  registerModuleForwardHook,
  registerModuleForwardPreHook,
  registerModuleFullBackwardHook,
  registerModuleFullBackwardPreHook,
} from './hooks.ts'
