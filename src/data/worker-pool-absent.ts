// Stands for worker-pool.ts in the build for browsers.

import { RuntimeError } from '../core/errors.ts'

export class WorkerPool {
  constructor() {
    throw new RuntimeError('DataLoader: threads of workers need Node; use numWorkers: 0 here')
  }
}

/** There are no workers whose errors it could tell of. */
export function workerError({ message }: { message: string }): Error {
  return new RuntimeError(message)
}
