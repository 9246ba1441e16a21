// g_fine_tuning: load the parameters of c_digits_mlp, freeze, replace the head, train it, then thaw.

import * as torch from '../../../src/index.ts'
import { accuracy, copyOf, digits, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch
const F = nn.functional
const { DataLoader, TensorDataset } = torch.utils.data

export async function run({ config, digitsPath, baseState, device }: RunInput): Promise<RunOutput> {
  const { h1, h2, lr, batch, epochs } = config as Record<string, number>
  const [x, digit] = digits(digitsPath, 1200, 1500)
  const y = digit.remainder(2) // a new task: even or odd
  const model: torch.nn.Sequential = new nn.Sequential(
    new nn.Linear(64, h1),
    new nn.ReLU(),
    new nn.Linear(h1, h2),
    new nn.ReLU(),
    new nn.Linear(h2, 10),
  )
  model.to(device).loadStateDict(baseState as ReadonlyMap<string, torch.Tensor>)
  for (const p of model.parameters()) p.requiresGrad = false
  model.set(4, new nn.Linear(h2, 2).to(device))
  const initial = copyOf(model.stateDict())
  let optimizer: torch.optim.Optimizer = new optim.Adam(
    [...model.parameters()].filter((p) => p.requiresGrad),
    { lr },
  )
  const loader = new DataLoader(new TensorDataset(x, y), { batchSize: batch, shuffle: true })
  const losses: number[] = []
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [xb, yb] of loader) {
      optimizer.zeroGrad()
      const loss = F.crossEntropy(model(xb.to(device)), yb.to(device))
      loss.backward()
      optimizer.step()
      losses.push((await loss.itemAsync()) as number)
    }
    if (epoch === 0) {
      // then train everything, more gently
      for (const p of model.parameters()) p.requiresGrad = true
      const groups = [
        { params: model.at(4).parameters() },
        { params: model.slice(0, 4).parameters(), lr: lr / 10 },
      ]
      optimizer = new optim.SGD(groups, { lr })
    }
  }
  return {
    initial,
    losses,
    final: model.stateDict(),
    evaluation: { accuracy: await accuracy(model(x.to(device)), y.to(device)) },
  }
}
