// Stands for the namespace torch.utils.tensorboard in the build for browsers.

import { RuntimeError } from '../../core/errors.ts'

export class SummaryWriter {
  constructor() {
    throw new RuntimeError('SummaryWriter writes files: it needs Node')
  }
}
