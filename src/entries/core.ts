// The entry `antorcha/core`: the public names of `antorcha`, but the basic methods of Tensor only, so that a bundler can leave
// out every function that a program does not name.

import './setup.ts'

export * from '../public.ts'
export { installMethods } from '../tensor/install.ts'
