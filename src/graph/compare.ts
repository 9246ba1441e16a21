// Whether two recorded calls did the same: the condition for repeating one of them without its JavaScript.

import type { Allocation } from '../backends/backend.ts'
import { formatSizes } from '../core/shape.ts'
import type { Kernel } from '../kernels/kernel.ts'
import type { LaunchStep, Recording, Step } from './recording.ts'

/** What two calls did differently, in words; null where they did the same to corresponding memory. */
export function firstDifference(a: Recording, b: Recording): string | null {
  const partner = new Map<Allocation, Allocation>()
  const corresponds = (x: Allocation, y: Allocation): boolean => {
    if (!a.made.has(x)) return x === y
    const known = partner.get(x)
    if (known !== undefined) return known === y
    partner.set(x, y)
    return b.made.has(y)
  }
  const shared = Math.min(a.steps.length, b.steps.length)
  for (let i = 0; i < shared; i++) {
    const difference = stepDifference(a.steps[i], b.steps[i], corresponds)
    if (difference !== null) return difference
  }
  if (a.steps.length === b.steps.length) return null
  const [more, longer] = a.steps.length > b.steps.length ? ['first', a] : ['second', b]
  return `the ${more} went on with ${describeStep(longer.steps[shared])} where the other was done`
}

function stepDifference(
  a: Step,
  b: Step,
  corresponds: (x: Allocation, y: Allocation) => boolean,
): string | null {
  if (a.kind === 'launch' && b.kind === 'launch') return launchDifference(a, b, corresponds)
  if (a.kind !== b.kind) return `${describeStep(a)} became ${describeStep(b)}`
  if (a.kind !== 'constant' || b.kind !== 'constant') return null
  const [x, y] = [a.bytes!, b.bytes!]
  if (!corresponds(a.allocation, b.allocation) || x.length !== y.length || x.some((v, i) => v !== y[i]))
    return 'a tensor made from JavaScript values had other values; pass such values as a tensor argument'
  return null
}

function launchDifference(
  a: LaunchStep,
  b: LaunchStep,
  corresponds: (x: Allocation, y: Allocation) => boolean,
): string | null {
  if (!sameKernel(a.kernel, b.kernel)) return `${describeStep(a)} became ${describeStep(b)}`
  const where = describeStep(b)
  if (!sameNumbers(a.outer, b.outer) || !sameNumbers(a.loop, b.loop))
    return `${where} had another shape before, ${formatSizes(a.outer)}`
  for (let o = 0; o < a.operands.length; o++) {
    const [x, y] = [a.operands[o], b.operands[o]]
    if (x.offset !== y.offset || !sameNumbers(x.strides, y.strides))
      return `${where} saw operand ${o} in another layout`
    if (!sameNumbers(x.atStrides ?? [], y.atStrides ?? []))
      return `${where} saw operand ${o} in another layout`
    if (!corresponds(x.storage as Allocation, y.storage as Allocation))
      return `${where} used another tensor as operand ${o}. A tensor that lives on from call to call must be changed in place (copy_), not replaced`
  }
  if (a.update !== null && b.update !== null) return null
  for (let s = 0; s < a.scalars.length; s++)
    if (!Object.is(a.scalars[s], b.scalars[s]))
      return `${where} got the number ${String(a.scalars[s])} and then ${String(b.scalars[s])}. A number that JavaScript computes anew must come as a tensor argument`
  return null
}

const forms = new WeakMap<Kernel, string>()

// Most kernels are built once; those that an op builds each time are compared by what they say.
function sameKernel(a: Kernel, b: Kernel): boolean {
  return a === b || (a.name === b.name && formOf(a) === formOf(b))
}

function formOf(kernel: Kernel): string {
  let form = forms.get(kernel)
  if (form === undefined) {
    const { operands, scalars, stages } = kernel
    const types = operands.map(({ dtype, access }) => [dtype.name, access])
    form = JSON.stringify([types, scalars, stages], (_, value: unknown) =>
      typeof value === 'bigint' ||
      (typeof value === 'number' && !Number.isFinite(value)) ||
      Object.is(value, -0)
        ? `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`
        : value,
    )
    forms.set(kernel, form)
  }
  return form
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i])
}

function describeStep(step: Step): string {
  switch (step.kind) {
    case 'launch':
      return `kernel '${step.kernel.name}' of shape ${formatSizes(step.outer)}`
    case 'host':
      return 'host code (random numbers, a check of indices)'
    case 'update':
      return "an optimizer's step"
    case 'constant':
      return 'a tensor made from JavaScript values'
    default:
      step satisfies never
      return ''
  }
}
