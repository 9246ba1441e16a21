// The errors of reading and writing files; each message says which file, where in it, and what is wrong.

import { TorchError } from '../core/errors.ts'

/** A file that is damaged, hostile, or holds what antorcha does not load, whatever its format. */
export class FormatError extends TorchError {
  override name = 'FormatError'
}

/** Such a file of `torch.save`: Python's pickle.UnpicklingError. */
export class UnpicklingError extends FormatError {
  override name = 'UnpicklingError'
}

/** Such a `.safetensors` file, as the package of that name calls it. */
export class SafetensorError extends FormatError {
  override name = 'SafetensorError'
}

/** Such a `.npy` or `.npz` file. */
export class NpyError extends FormatError {
  override name = 'NpyError'
}

/** Makes the error of a format. */
export type FormatErrorClass = new (message: string, options?: ErrorOptions) => FormatError

/** A file that cannot be opened, read or written; `code` is the system's (`ENOENT`, `EACCES`, ...) where there is one. */
export class FileError extends TorchError {
  override name = 'OSError'
  /** The operating system's name of the failure, or null. */
  readonly code: string | null

  constructor(message: string, code: string | null = null, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    if (code === 'ENOENT') this.name = 'FileNotFoundError'
    if (code === 'EACCES' || code === 'EPERM') this.name = 'PermissionError'
    if (code === 'EISDIR') this.name = 'IsADirectoryError'
  }
}
