// A multilayer perceptron that reads handwritten digits: the smallest complete program. `npx tsx examples/digits-mlp.ts`

import * as torch from '../src/index.ts'
import { loadDigits } from './datasets.ts'

const { nn, optim } = torch
const { DataLoader, TensorDataset } = torch.utils.data

const epochs = Number(process.argv[2] ?? 10)
torch.manualSeed(0)

const [images, labels] = loadDigits()
const training = new TensorDataset(images.at(':1400'), labels.at(':1400'))
const loader = new DataLoader(training, { batchSize: 50, shuffle: true })

const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(64, 32), new nn.ReLU(), new nn.Linear(32, 10))
console.log(torch.summary(model, [50, 1, 8, 8]))

const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
for (let epoch = 1; epoch <= epochs; epoch++) {
  const batches = torch.utils.progress(loader, { description: `epoch ${epoch}` })
  for (const [x, y] of batches) {
    optimizer.zeroGrad()
    const loss = nn.functional.crossEntropy(model(x), y)
    loss.backward()
    optimizer.step()
    batches.set({ loss: loss.item() as number })
  }
}

const predictions = torch.noGrad(() => model(images.at('1400:'))).argmax(1)
const accuracy = predictions.eq(labels.at('1400:')).float().mean().item() as number
console.log(`test accuracy ${(100 * accuracy).toFixed(1)} %`)
