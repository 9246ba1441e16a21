// `npm start`: trains a small convolutional network on handwritten digits, says how well it does on digits it has not
// seen, saves it, and loads it into a fresh model.

import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SingleBar } from 'cli-progress'
import * as torch from '../src/index.ts'
import { loadDigits } from './datasets.ts'
import {
  bold,
  dim,
  green,
  isTerminal,
  readOptions,
  readyDevice,
  runProgram,
  say,
  UsageError,
  wholeNumber,
} from './terminal.ts'

const { nn, optim } = torch
const F = nn.functional
const { DataLoader, randomSplit, TensorDataset } = torch.utils.data

const usage = `Usage: npm start -- [options]

Trains a classifier on 8x8 images of handwritten digits.

  --epochs <n>   how often to go through the training images (default 6)
  --seed <n>     the seed of all random numbers (default 0)
  --out <file>   where the trained parameters go (default digits.pt)
  --device <d>   where to train: cpu (default) or webgpu
  --help         this text`

const TRAINING_IMAGES = 1400
const BATCH = 50

/** The network; `head` is its last layer, from 2 x 2 x 32 features to the logits of the ten digits. */
function makeModel(head: torch.nn.Linear<number, 10>) {
  return new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 1 }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(16, 32, 3, { padding: 1 }),
    new nn.BatchNorm2d(32),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    head,
  )
}

type Model = ReturnType<typeof makeModel>
type Examples = torch.utils.data.Subset<[images: torch.Tensor, labels: torch.Tensor]>

/** Shows how training goes: a bar where someone is looking, else a line for each epoch. */
class Progress {
  private readonly bar: SingleBar | null
  private losses: number[] = []

  constructor(
    private readonly epochs: number,
    batches: number,
  ) {
    // The cursor and line wrapping stay as they are, so that Ctrl-C leaves the terminal in order.
    this.bar = !isTerminal
      ? null
      : new SingleBar({
          format: `epoch {epoch}/${epochs} ${green('{bar}')} {percentage}%  loss {loss}  {duration_formatted}`,
          barCompleteChar: '\u2588',
          barIncompleteChar: '\u2591',
          // The rest of the line takes up to 50 characters.
          barsize: Math.max(5, Math.min(30, (process.stdout.columns || 80) - 50)),
          hideCursor: false,
          linewrap: true,
          stream: process.stdout,
        })
    this.bar?.start(epochs * batches, 0, { epoch: 1, loss: '-' })
  }

  step(epoch: number, loss: number): void {
    this.losses.push(loss)
    this.bar?.increment({ epoch, loss: loss.toFixed(4) })
  }

  endEpoch(epoch: number): void {
    const mean = this.losses.reduce((a, b) => a + b, 0) / this.losses.length
    this.losses = []
    if (this.bar === null)
      say(`epoch ${String(epoch).padStart(2)}/${this.epochs}  mean loss ${mean.toFixed(4)}`)
    else if (epoch === this.epochs) this.bar.update({ epoch, loss: mean.toFixed(4) })
  }

  stop(): void {
    this.bar?.stop()
  }
}

async function train(model: Model, data: Examples, epochs: number, device: string): Promise<void> {
  const loader = new DataLoader(data, { batchSize: BATCH, shuffle: true })
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 })
  const scheduler = new optim.lrScheduler.StepLR(optimizer, Math.ceil(epochs / 3), { gamma: 0.3 })
  const progress = new Progress(epochs, loader.length)
  try {
    model.train()
    for (let epoch = 1; epoch <= epochs; epoch++) {
      for (const [images, labels] of loader) {
        optimizer.zeroGrad()
        const loss = F.crossEntropy(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        progress.step(epoch, (await loss.itemAsync()) as number)
      }
      scheduler.step()
      progress.endEpoch(epoch)
    }
  } finally {
    progress.stop()
  }
}

/** Rows: what the digits are; columns: what the model says. */
function confusionMatrix(labels: torch.Tensor, predictions: torch.Tensor): torch.Tensor {
  return torch.bincount(labels.mul(10).add(predictions), { minlength: 100 }).view(10, 10)
}

function sayConfusion(matrix: torch.Tensor): void {
  const cell = (text: string) => text.padStart(4)
  say(bold('Confusion matrix of the test images') + dim(' (rows: the digit, columns: the prediction)'))
  say(dim(`     ${Array.from({ length: 10 }, (_, digit) => cell(String(digit))).join('')}`))
  for (const [digit, row] of (matrix.tolist() as number[][]).entries()) {
    const cells = row.map((count, i) => {
      const text = cell(count === 0 ? '.' : String(count))
      return i === digit ? green(text) : count === 0 ? dim(text) : bold(text)
    })
    say(`${dim(cell(String(digit)))} ${cells.join('')}`)
  }
}

/** Throws before any work is done if the result could not be saved, or would replace something else. */
function checkTarget(out: string): void {
  const folder = dirname(resolve(out))
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`--out ${out}: there is no folder ${folder}`)
  try {
    accessSync(folder, constants.W_OK)
  } catch {
    throw new UsageError(`--out ${out}: the folder ${folder} cannot be written to`)
  }
  if (!existsSync(out)) return
  const expected = [...makeModel(new nn.LazyLinear(10)).stateDict().keys()].join()
  let keys = ''
  try {
    const found = torch.load(out)
    if (found instanceof Map) keys = [...found.keys()].join()
  } catch {
    // It is no checkpoint at all.
  }
  if (keys !== expected)
    throw new UsageError(
      `--out ${out} exists and was not saved by this program: name another file, or move it away`,
    )
}

async function main(): Promise<void> {
  const options = readOptions({ epochs: '6', seed: '0', out: 'digits.pt', device: 'cpu' })
  if (options.help) {
    say(usage)
    return
  }
  const epochs = wholeNumber('epochs', options.epochs, 1, 1000)
  const seed = wholeNumber('seed', options.seed, 0, Number.MAX_SAFE_INTEGER)
  if (options.out === '') throw new UsageError('--out takes the name of a file')
  checkTarget(options.out)
  const device = await readyDevice(options.device)

  const started = performance.now()
  torch.manualSeed(seed)
  const [images, labels] = loadDigits()
  const [training, test] = randomSplit(new TensorDataset(images, labels), [
    TRAINING_IMAGES,
    images.size(0) - TRAINING_IMAGES,
  ])
  const testImages = images.at(torch.tensor([...test.indices]))
  const testLabels = labels.at(torch.tensor([...test.indices]))
  say(`${images.size(0)} handwritten digits: ${training.length} to learn from, ${test.length} for the test`)

  const model = makeModel(new nn.Linear(2 * 2 * 32, 10))
  const parameters = [...model.parameters()].reduce((sum, p) => sum + p.numel(), 0)
  say(`${model}\n${dim(`${parameters} parameters`)}\n`)
  await train(model.to(device), training, epochs, device)

  model.eval()
  const predictions = await torch.noGrad(() => model(testImages.to(device)).argmax(1)).cpu()
  await model.cpu()
  const matrix = confusionMatrix(testLabels, predictions)
  const correct = matrix.diagonal().sum().item() as number
  say()
  sayConfusion(matrix)
  say()
  say(
    `test accuracy ${bold(`${((100 * correct) / test.length).toFixed(2)} %`)} (${correct} of ${test.length})`,
  )

  torch.save(model.stateDict(), options.out)
  say(`\nsaved ${options.out} (${statSync(options.out).size} bytes; Python's torch.load opens it)`)

  const fresh = makeModel(new nn.LazyLinear(10))
  say(`a fresh model with ${String(fresh[9])}:`)
  say(`  loadStateDict  ${String(fresh.loadStateDict(torch.load(options.out)))}`)
  fresh.eval()
  // Both on the CPU: devices may round differently.
  const [again, expected] = [fresh, model].map((m) => torch.noGrad(() => m(testImages).argmax(1)))
  const agreeing = again.eq(expected).sum().item() as number
  say(`  its predictions agree with the trained model's on ${agreeing} of ${test.length} test images`)
  say(`  the lazy layer is now ${String(fresh[9])}`)
  if (agreeing !== test.length) throw new Error('the loaded model predicts something else than the saved one')
  say(dim(`\n${((performance.now() - started) / 1000).toFixed(1)} s`))
}

await runProgram(usage, main)
