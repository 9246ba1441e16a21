// What decides about an optimizer's step besides values in memory and the number of the step: for captured graphs.

import type { Tensor } from '../tensor/tensor.ts'

interface Groups {
  readonly paramGroups: readonly (Record<string, unknown> & { params: Tensor[] })[]
}

/** The options of all groups, and which tensors are the gradients, at one moment. */
export class StepConditions {
  private readonly groups: Groups['paramGroups']
  private readonly entries: readonly (readonly [string, unknown][])[]
  private readonly params: readonly Tensor[]
  private readonly grads: readonly (Tensor | null)[]

  constructor({ paramGroups }: Groups) {
    this.groups = paramGroups
    this.entries = paramGroups.map((group) => Object.entries(group))
    this.params = paramGroups.flatMap(({ params }) => params)
    this.grads = this.params.map(({ grad }) => grad)
  }

  /** Whether all is as it was. */
  hold({ paramGroups }: Groups): boolean {
    const { entries, params, grads } = this
    if (paramGroups !== this.groups || paramGroups.length !== entries.length) return false
    for (let i = 0; i < entries.length; i++) {
      const group = paramGroups[i]
      for (const [key, value] of entries[i]) if (group[key] !== value) return false
    }
    for (let i = 0; i < params.length; i++) if (params[i].grad !== grads[i]) return false
    return true
  }
}
