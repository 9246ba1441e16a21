// A multilayer perceptron that reads handwritten digits: the smallest complete program.
// `npx tsx examples/digits-mlp.ts [epochs] [--device webgpu]`

import * as torch from '../src/index.ts'
import { loadDigits } from './datasets.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch
const { DataLoader, TensorDataset } = torch.utils.data

const { count: epochs, device } = await readShortOptions(10)
torch.manualSeed(0)

const [images, labels] = loadDigits()
const training = new TensorDataset(images.at(':1400'), labels.at(':1400'))
const loader = new DataLoader(training, { batchSize: 50, shuffle: true })

const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(64, 32), new nn.ReLU(), new nn.Linear(32, 10))
model.to(device)
console.log(torch.summary(model, [50, 1, 8, 8]))

const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
for (let epoch = 1; epoch <= epochs; epoch++) {
  const batches = torch.utils.progress(loader, { description: `epoch ${epoch}` })
  for (const [x, y] of batches) {
    optimizer.zeroGrad()
    const loss = nn.functional.crossEntropy(model(x.to(device)), y.to(device))
    loss.backward()
    optimizer.step()
    // Waiting for the loss works on every device; loss.item() on the CPU only.
    batches.set({ loss: (await loss.itemAsync()) as number })
  }
}

const predictions = await torch.noGrad(() => model(images.at('1400:').to(device)).argmax(1)).cpu()
const accuracy = predictions.eq(labels.at('1400:')).float().mean().item() as number
console.log(`test accuracy ${(100 * accuracy).toFixed(1)} %`)
