// d_digits_cnn: Conv2d, BatchNorm2d, MaxPool2d, Dropout on the digits; SGD with momentum, StepLR, dropLast.

import * as torch from '../../../src/index.ts'
import { accuracy, copyOf, digits, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch
const F = nn.functional
const { DataLoader, TensorDataset } = torch.utils.data

class Net extends nn.Module {
  conv1: torch.nn.Conv2d
  bn1: torch.nn.BatchNorm2d
  conv2: torch.nn.Conv2d
  bn2: torch.nn.BatchNorm2d
  pool: torch.nn.MaxPool2d
  drop: torch.nn.Dropout
  fc: torch.nn.Linear

  constructor(c1: number, c2: number, drop: number) {
    super()
    this.conv1 = new nn.Conv2d(1, c1, 3, { padding: 1 })
    this.bn1 = new nn.BatchNorm2d(c1)
    this.conv2 = new nn.Conv2d(c1, c2, 3, { padding: 1, bias: false })
    this.bn2 = new nn.BatchNorm2d(c2)
    this.pool = new nn.MaxPool2d(2)
    this.drop = new nn.Dropout(drop)
    this.fc = new nn.Linear(c2 * 4, 10)
  }

  override forward(images: torch.Tensor): torch.Tensor {
    let x = this.pool(F.relu(this.bn1(this.conv1(images))))
    x = this.pool(F.relu(this.bn2(this.conv2(x))))
    return this.fc(this.drop(torch.flatten(x, 1)))
  }
}

export async function run({ config, digitsPath, device }: RunInput): Promise<RunOutput> {
  const { ntrain, c1, c2, drop, lr, batch, epochs } = config as Record<string, number>
  const [pixels, y] = digits(digitsPath, 0, ntrain)
  const [pixelsTest, yTest] = digits(digitsPath, 1000, 1200).map((t) => t.to(device))
  const x = pixels.view(-1, 1, 8, 8)
  const xTest = pixelsTest.view(-1, 1, 8, 8)
  const model = new Net(c1, c2, drop).to(device)
  const initial = copyOf(model.stateDict())
  const optimizer = new optim.SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: 1e-4 })
  const scheduler = new optim.lrScheduler.StepLR(optimizer, 1, { gamma: 0.5 })
  const loader = new DataLoader(new TensorDataset(x, y), { batchSize: batch, shuffle: true, dropLast: true })
  const losses: number[] = []
  const accuracies: number[] = []
  for (let epoch = 0; epoch < epochs; epoch++) {
    model.train()
    for (const [xb, yb] of loader) {
      optimizer.zeroGrad()
      const loss = F.crossEntropy(model(xb.to(device)), yb.to(device))
      loss.backward()
      optimizer.step()
      losses.push((await loss.itemAsync()) as number)
    }
    scheduler.step()
    model.eval()
    accuracies.push(await torch.noGrad(() => accuracy(model(xTest), yTest)))
  }
  const logits = model(xTest.at(':3')).detach()
  return { initial, losses, final: model.stateDict(), evaluation: { accuracies, logits } }
}
