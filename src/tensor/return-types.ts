// Results with names, as `max(dim)`, `sort` or `slogdet` give them: arrays that destructure, with fields, which print as
// PyTorch's `torch.return_types`.

import { pyRepr } from '../core/python.ts'

/** A named result: `const [values, indices] = x.sort()` and `x.sort().values` are the same tensors. */
export type NamedResult<Fields extends object> = Omit<readonly Fields[keyof Fields][], keyof Fields> &
  Readonly<Fields>

class NamedTuple extends Array<unknown> {
  // `map` and `slice` of a result give plain arrays.
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  readonly #name: string
  readonly #fields: readonly string[]

  constructor(name: string, fields: readonly string[]) {
    super()
    this.#name = name
    this.#fields = fields
  }

  override toString(): string {
    const lines = this.#fields.map((field, i) => `${field}=${pyRepr(this[i])}`)
    return `torch.return_types.${this.#name}(\n${lines.join(',\n')})`
  }

  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/**
 * A result of the function called `name` in PyTorch: an array of the fields' values, in their order, each of them also
 * under its name.
 */
export function namedResult<Fields extends object>(name: string, fields: Fields): NamedResult<Fields> {
  const names = Object.keys(fields)
  const result = new NamedTuple(name, names)
  for (const field of names) {
    result.push(fields[field as keyof Fields])
    // A field may be called as a method of arrays is (`values`), so it is defined rather than assigned.
    Object.defineProperty(result, field, { value: fields[field as keyof Fields], enumerable: false })
  }
  return result as unknown as NamedResult<Fields>
}
