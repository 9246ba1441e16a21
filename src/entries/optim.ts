// The entry `antorcha/optim`: the names of `torch.optim`, each for itself, so that a bundler takes those that a program names.

import './setup.ts'

export * from '../optim/index.ts'
