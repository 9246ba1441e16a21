// Stands for plot.ts in the build for browsers: the packages that draw are asked for by name, which is not possible there.

import { RuntimeError } from '../core/errors.ts'

function refuse(): never {
  throw new RuntimeError('torch.utils.plot() draws with packages that it asks Node for: it needs Node')
}

export { refuse as plot }

export class Plot {
  constructor() {
    refuse()
  }
}
