// c_digits_mlp: a Sequential MLP on the digits, CrossEntropyLoss, Adam, DataLoader with shuffling.

import * as torch from '../../../src/index.ts'
import { accuracy, copyOf, digits, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch
const { DataLoader, TensorDataset } = torch.utils.data

export async function run({ config, digitsPath, device }: RunInput): Promise<RunOutput> {
  const { ntrain, h1, h2, lr, batch, epochs } = config as Record<string, number>
  const [x, y] = digits(digitsPath, 0, ntrain)
  const [xTest, yTest] = digits(digitsPath, 1000, 1300).map((t) => t.to(device))
  const model = new nn.Sequential(
    new nn.Linear(64, h1),
    new nn.ReLU(),
    new nn.Linear(h1, h2),
    new nn.ReLU(),
    new nn.Linear(h2, 10),
  ).to(device)
  const initial = copyOf(model.stateDict())
  const criterion = new nn.CrossEntropyLoss()
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const loader = new DataLoader(new TensorDataset(x, y), { batchSize: batch, shuffle: true })
  const losses: number[] = []
  const accuracies: number[] = []
  for (let epoch = 0; epoch < epochs; epoch++) {
    model.train()
    for (const [xb, yb] of loader) {
      optimizer.zeroGrad()
      const loss = criterion(model(xb.to(device)), yb.to(device))
      loss.backward()
      optimizer.step()
      losses.push((await loss.itemAsync()) as number)
    }
    model.eval()
    accuracies.push(await torch.noGrad(() => accuracy(model(xTest), yTest)))
  }
  const logits = model(xTest.at(':5')).detach()
  return { initial, losses, final: model.stateDict(), evaluation: { accuracies, logits } }
}
