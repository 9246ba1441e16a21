// Parameters and buffers whose shape is not known yet: lazy modules materialise them at their first call.

import { type DeviceLike, getDefaultDevice, device as toDevice } from '../core/device.ts'
import { type DType, getDefaultDtype } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { emptyTensor } from '../ops/launch.ts'
import { setData, type Tensor } from '../tensor/tensor.ts'
import { Buffer, Parameter } from './parameter.ts'

/** Where and in which dtype a lazy tensor will be made. */
export interface FactoryOptions {
  device?: DeviceLike | null
  dtype?: DType | null
}

/** The device and dtype that factory options ask for, or the defaults. */
export function factory({ device, dtype }: FactoryOptions) {
  return { device: device == null ? getDefaultDevice() : toDevice(device), dtype: dtype ?? getDefaultDtype() }
}

function shapeError(): RuntimeError {
  return new RuntimeError(
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before accessing their attributes.",
  )
}

function useError(className: string): ValueError {
  return new ValueError(
    `Attempted to use an uninitialized parameter in an operation. This error happens when you are using a \`LazyModule\` or explicitly manipulating \`torch.nn.parameter.${className}\` objects. When using LazyModules Call \`forward\` with a dummy batch to initialize the parameters before calling torch functions`,
  )
}

function noData(options: FactoryOptions): Tensor {
  const { device, dtype } = factory(options)
  return emptyTensor([0], dtype, device)
}

// Every operation asks for the sizes of its operands; `sizes` is a field of Tensor, so the lazy ones cover theirs.
function hideSizes(tensor: Tensor, className: string): void {
  Object.defineProperty(tensor, 'sizes', {
    configurable: true,
    enumerable: true,
    get() {
      throw useError(className)
    },
  })
}

function showData(tensor: Tensor, prototype: object, data: Tensor): void {
  Object.setPrototypeOf(tensor, prototype)
  Object.defineProperty(tensor, 'sizes', { configurable: true, enumerable: true, writable: true, value: [0] })
  setData(tensor, data)
}

function made(sizes: readonly number[], like: Tensor, options: FactoryOptions): Tensor {
  return emptyTensor(
    sizes,
    options.dtype ?? like.dtype,
    options.device == null ? like.device : toDevice(options.device),
  )
}

// Changes what a lazy tensor will be made as; it stays the same object, without data.
function retarget(tensor: Tensor, className: string, options: FactoryOptions): void {
  const data = emptyTensor(
    [0],
    options.dtype ?? tensor.dtype,
    options.device == null ? tensor.device : toDevice(options.device),
  )
  Object.defineProperty(tensor, 'sizes', { configurable: true, enumerable: true, writable: true, value: [0] })
  setData(tensor, data)
  hideSizes(tensor, className)
}

/** A parameter without a shape yet; prints as `<UninitializedParameter>`. `materialize` turns it into a `Parameter`. */
export class UninitializedParameter extends Parameter {
  constructor(options: FactoryOptions & { requiresGrad?: boolean } = {}) {
    super(noData(options), { requiresGrad: options.requiresGrad ?? true })
    hideSizes(this, 'UninitializedParameter')
  }

  /** Gives the parameter memory of this shape, with unspecified contents; it stays the same object. */
  materialize(sizes: readonly number[], options: FactoryOptions = {}): void {
    showData(this, Parameter.prototype, made(sizes, this, options))
  }

  /** Sets the dtype and device that `materialize` will use. */
  retarget(options: FactoryOptions): void {
    retarget(this, 'UninitializedParameter', options)
  }

  override get shape(): never {
    throw shapeError()
  }

  override toString(): string {
    return '<UninitializedParameter>'
  }
}

/** A buffer without a shape yet; prints as `<UninitializedBuffer>`. */
export class UninitializedBuffer extends Buffer {
  constructor(options: FactoryOptions & { persistent?: boolean } = {}) {
    super(noData(options), { persistent: options.persistent ?? true })
    hideSizes(this, 'UninitializedBuffer')
  }

  /** Gives the buffer memory of this shape, with unspecified contents; it stays the same object. */
  materialize(sizes: readonly number[], options: FactoryOptions = {}): void {
    showData(this, Buffer.prototype, made(sizes, this, options))
  }

  /** Sets the dtype and device that `materialize` will use. */
  retarget(options: FactoryOptions): void {
    retarget(this, 'UninitializedBuffer', options)
  }

  override get shape(): never {
    throw shapeError()
  }

  override toString(): string {
    return '<UninitializedBuffer>'
  }
}

/** Whether a value is a parameter or buffer that has no shape yet. */
export function isLazy(value: unknown): value is UninitializedParameter | UninitializedBuffer {
  return value instanceof UninitializedParameter || value instanceof UninitializedBuffer
}
