// All workloads, in the order of the table.

import type { Workload } from '../workload.ts'
import { capturedSteps } from './captured.ts'
import { checkpoints } from './checkpoints.ts'
import { elementwise } from './elementwise.ts'
import { models } from './models.ts'
import { networks } from './networks.ts'
import { products } from './products.ts'

export const workloads: readonly Workload[] = [
  ...products,
  ...elementwise,
  ...networks,
  ...models,
  ...capturedSteps,
  ...checkpoints,
]

export function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name)
  if (found === undefined) throw new Error(`there is no workload "${name}"`)
  return found
}
