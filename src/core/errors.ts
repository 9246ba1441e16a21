// The library's errors, one class for each of Python's that PyTorch raises, and the words they share.

/** Every error that antorcha throws on purpose is one of these; `name` is Python's class name. */
export class TorchError extends Error {
  override name = 'RuntimeError'
}

/** A situation that PyTorch reports as RuntimeError: shapes, dtypes, autograd misuse. */
export class RuntimeError extends TorchError {
  override name = 'RuntimeError'
}

/** PyTorch's ValueError: an argument of the right type with a value that makes no sense. */
export class ValueError extends TorchError {
  override name = 'ValueError'
}

/** PyTorch's IndexError: a dimension or an index out of range. */
export class IndexError extends TorchError {
  override name = 'IndexError'
}

/** PyTorch's KeyError: a name that is not there, or cannot be used. */
export class KeyError extends TorchError {
  override name = 'KeyError'
}

/** PyTorch's AttributeError. */
export class AttributeError extends TorchError {
  override name = 'AttributeError'
}

/** PyTorch's NotImplementedError: the operation does not exist for these arguments. */
export class NotImplementedError extends TorchError {
  override name = 'NotImplementedError'
}

/** A kernel that a device cannot compute, though others can. */
export class UnsupportedKernelError extends RuntimeError {}

/** PyTorch's AssertionError. */
export class AssertionError extends TorchError {
  override name = 'AssertionError'
}

/** PyTorch's TypeError: an argument of the wrong type. Named with an underscore to leave the global one alone. */
export class TypeError_ extends TypeError {
  override name = 'TypeError'
}

/** The arena is full: names what was asked for and what is live. All tensors stay valid. */
export class OutOfMemoryError extends RuntimeError {
  override name = 'OutOfMemoryError'
}
