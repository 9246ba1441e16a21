// Stands for worker-thread.ts in the build for browsers, where no thread loads data.

import { RuntimeError } from '../core/errors.ts'

export function serveDataLoader(): never {
  throw new RuntimeError('DataLoader: threads of workers need Node')
}
