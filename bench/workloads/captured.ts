// Training steps that antorcha has captured (torch.graph) and replays; the others run them as ever.

import type { Target, Workload } from '../workload.ts'
import { models } from './models.ts'
import { networks } from './networks.ts'

function captured(name: string, target?: Target): Workload {
  const eager = [...networks, ...models].find((workload) => workload.name === name)!
  return {
    name: `${name.replace(', eager', '')}, captured`,
    target,
    inputs: eager.inputs,
    antorcha: (torch, inputs) => torch.graph.capture(eager.antorcha(torch, inputs)),
    pytorch: eager.pytorch,
    tfjs: eager.tfjs,
    // The first three calls record; the next ones are replays.
    compare: { ...eager.compare, calls: 6 },
  }
}

export const capturedSteps: readonly Workload[] = [
  captured('lesson step, eager', { pytorch: 0.03, tfjs: 0.1 }),
  ...['MLP step', 'CNN step', 'LSTM step', 'Transformer step'].map((name) => captured(name)),
]
