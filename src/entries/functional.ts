// The entry `antorcha/nn/functional`: the names of `torch.nn.functional`, each for itself, so that a bundler takes those that a program names.

import './setup.ts'

export * from '../nn/functional.ts'
