// The entry `antorcha/nn`: the names of `torch.nn`, each for itself, so that a bundler takes those that a program names.

import './setup.ts'

export * from '../nn/index.ts'
