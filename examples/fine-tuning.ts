// Fine-tuning: a network learns the digits 0 to 4; then its layers are frozen, its head is replaced, and the new head
// learns 5 to 9 from a few images. `npx tsx examples/fine-tuning.ts [epochs] [--device webgpu]`

import * as torch from '../src/index.ts'
import { loadDigits } from './datasets.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch
const { DataLoader, TensorDataset } = torch.utils.data

const { count: epochs, device } = await readShortOptions(10)
torch.manualSeed(0)
const [images, labels] = loadDigits()

/** The images and labels where `isWanted` is true. */
function select(isWanted: torch.Tensor): [torch.Tensor, torch.Tensor] {
  return [images.at(isWanted), labels.at(isWanted)]
}
const [lowImages, lowLabels] = select(labels.lt(5))
const [highImages, highLabels] = select(labels.ge(5))

class Classifier extends nn.Module {
  features = new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(16, 32, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.Flatten(),
  )
  head = new nn.Linear(32 * 4 * 4, 5)

  override forward(x: torch.Tensor): torch.Tensor {
    return this.head(this.features(x))
  }
}

async function train(model: Classifier, x: torch.Tensor, y: torch.Tensor): Promise<void> {
  // The optimizer gets only what is to be trained.
  const trainable = [...model.parameters()].filter((parameter) => parameter.requiresGrad)
  const optimizer = new optim.Adam(trainable, { lr: 3e-3 })
  const loader = new DataLoader(new TensorDataset(x, y), { batchSize: 32, shuffle: true })
  for (let epoch = 0; epoch < epochs; epoch++)
    for (const [batch, target] of loader) {
      optimizer.zeroGrad()
      const loss = nn.functional.crossEntropy(model(batch.to(device)), target.to(device))
      loss.backward()
      optimizer.step()
      // Waiting in each step lets a GPU keep up, and what the step needed is free for the next one.
      await loss.itemAsync()
    }
}

async function accuracy(model: Classifier, x: torch.Tensor, y: torch.Tensor): Promise<string> {
  const predictions = await torch.noGrad(() => model(x.to(device)).argmax(1)).cpu()
  return `${(100 * (predictions.eq(y).float().mean().item() as number)).toFixed(1)} %`
}

const model = new Classifier().to(device)
await train(model, lowImages.at(':700'), lowLabels.at(':700'))
console.log(`0 to 4: ${await accuracy(model, lowImages.at('700:'), lowLabels.at('700:'))} of the test images`)

model.features.requiresGrad_(false)
model.head = new nn.Linear(32 * 4 * 4, 5).to(device)
console.log(torch.summary(model, [1, 1, 8, 8], { colNames: ['numParams', 'trainable'], depth: 1 }))

const frozen = () => model.features.stateDict().get('0.weight')!.cpu()
const before = (await frozen()).clone()
await train(model, highImages.at(':100'), highLabels.at(':100').sub(5))
console.log(
  `5 to 9, from 100 images: ${await accuracy(model, highImages.at('100:'), highLabels.at('100:').sub(5))}`,
)
console.log(`the frozen layers have changed: ${!torch.equal(before, await frozen())}`)
