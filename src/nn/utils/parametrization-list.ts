// ParametrizationList: the parametrizations of one tensor, and the tensor or tensors from which they compute it.

import { noGrad } from '../../autograd/mode.ts'
import { NotImplementedError, RuntimeError, ValueError } from '../../core/errors.ts'
import { sameSizes } from '../../core/shape.ts'
import { setData, Tensor } from '../../tensor/tensor.ts'
import { ModuleList } from '../containers.ts'
import type { Module } from '../module.ts'
import { Parameter } from '../parameter.ts'
import { nameOf, typeName } from '../registry.ts'

/**
 * A module that computes a tensor from another one (or from several). With `rightInverse`, which finds tensors that give a value,
 * the original starts as what gives the value that the tensor has, and the parametrized tensor may be assigned to.
 */
export interface Parametrization extends Module {
  rightInverse?(value: Tensor): Tensor | readonly Tensor[]
}

type Fields = Record<string, unknown>

/**
 * What `module.parametrizations` holds for a tensor. Calling it computes the tensor. `original`, or `original0`, `original1`, ...
 * where `rightInverse` gives several, are the tensors to train.
 */
export class ParametrizationList extends ModuleList<Parametrization> {
  declare original: Tensor
  unsafe: boolean
  readonly isTensor: boolean
  readonly ntensors: number

  /** @throws ValueError where dtype or shape would not stay; the tensor is then as it was. */
  constructor(
    modules: Iterable<Parametrization>,
    original: Tensor,
    { unsafe = false }: { unsafe?: boolean } = {},
  ) {
    super(modules)
    if (this.length === 0) throw new ValueError('ParametrizationList requires one or more modules.')
    this.unsafe = unsafe
    const value = noGrad(() => this.invert(original))
    this.isTensor = value instanceof Tensor
    this.ntensors = value instanceof Tensor ? 1 : value.length
    const { requiresGrad } = original
    const before = original.detach()
    if (value instanceof Tensor) {
      if (value.dtype !== original.dtype)
        throw new ValueError(
          `When \`right_inverse\` outputs one tensor, it may not change the dtype.\noriginal.dtype: ${original.dtype}\nright_inverse(original).dtype: ${value.dtype}`,
        )
      if (value !== original) setData(original, value.detach())
      this.addOriginal('original', original)
    } else
      value.forEach((part, i) => {
        const own = part.detach()
        const isParameter = original instanceof Parameter
        this.addOriginal(
          `original${i}`,
          isParameter ? new Parameter(own, { requiresGrad }) : own.requiresGrad_(requiresGrad),
        )
      })
    if (unsafe) return
    try {
      const result: unknown = this.forward()
      if (!(result instanceof Tensor))
        throw new ValueError(`A parametrization must return a tensor. Got ${typeName(result)}.`)
      if (result.dtype !== before.dtype)
        throw new ValueError(
          `Registering a parametrization may not change the dtype of the tensor, unless \`unsafe\` flag is enabled.\nunparametrized dtype: ${before.dtype}\nparametrized dtype: ${result.dtype}`,
        )
      if (!sameSizes(result.sizes, before.sizes))
        throw new ValueError(
          `Registering a parametrization may not change the shape of the tensor, unless \`unsafe\` flag is enabled.\nunparametrized shape: ${before.shape}\nparametrized shape: ${result.shape}`,
        )
    } catch (error) {
      setData(original, before)
      throw error
    }
  }

  private addOriginal(name: string, value: Tensor): void {
    if (value instanceof Parameter) this.registerParameter(name, value)
    else this.registerBuffer(name, value)
  }

  /** `original`, or `original0`, `original1`, ... */
  originalNames(): string[] {
    return this.isTensor ? ['original'] : Array.from({ length: this.ntensors }, (_, i) => `original${i}`)
  }

  // At registration a parametrization without an inverse leaves the value as it is.
  private invert(value: Tensor): Tensor | readonly Tensor[] {
    let result: Tensor | readonly Tensor[] = value
    for (const module of [...this].reverse()) {
      if (module.rightInverse === undefined) continue
      try {
        result = module.rightInverse(result as Tensor)
      } catch (error) {
        if (!(error instanceof NotImplementedError)) throw error
      }
    }
    if (!(result instanceof Tensor) && !(Array.isArray(result) && result.every((x) => x instanceof Tensor)))
      throw new ValueError(
        `'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got ${typeName(result)}`,
      )
    return result
  }

  /**
   * Sets the original tensors so that the parametrized one gets a value.
   * @throws RuntimeError if a parametrization has no `rightInverse`
   */
  rightInverse(value: Tensor): void {
    noGrad(() => {
      let result: Tensor | readonly Tensor[] = value
      for (const module of [...this].reverse()) {
        if (module.rightInverse === undefined)
          throw new RuntimeError(`parametrization ${nameOf(module)} does not implement right_inverse.`)
        result = module.rightInverse(result as Tensor)
      }
      const parts = result instanceof Tensor ? [result] : result
      if (this.isTensor !== result instanceof Tensor || parts.length !== this.ntensors)
        throw new ValueError(
          this.isTensor
            ? `\`right_inverse\` should return a tensor. Got ${typeName(result)}`
            : `'right_inverse' must return a sequence of tensors of length ${this.ntensors}. Got ${result instanceof Tensor ? 'a tensor' : `a sequence of length ${parts.length}`}.`,
        )
      const targets = this.originalNames().map((name) => (this as unknown as Fields)[name] as Tensor)
      targets.forEach((target, i) => {
        if (parts[i].dtype !== target.dtype)
          throw new ValueError(
            `The tensor returned by \`right_inverse\` has dtype ${parts[i].dtype} while \`original\` has dtype ${target.dtype}`,
          )
      })
      targets.forEach((target, i) => {
        setData(target, parts[i].detach())
      })
    })
  }

  override forward(): Tensor {
    const [first, ...rest] = this as Iterable<(...x: unknown[]) => Tensor>
    let x = first(...this.originalNames().map((name) => (this as unknown as Fields)[name]))
    for (const module of rest) x = module(x)
    return x
  }
}
