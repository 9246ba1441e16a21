// The package's main entry: `import * as torch from 'antorcha'`. All public names, and every method of Tensor.

import './backends/registered.ts'
import './tensor/methods.ts'

export * from './public.ts'
