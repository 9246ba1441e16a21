// The network, its training and its tests, on either device. Knows nothing of the page.

import * as torch from '../src/index.ts'
import { type Digits, SIDE } from './digits.ts'

const { nn, optim } = torch
const F = nn.functional

const BATCH = 50

/** What a test found. */
export interface TestResult {
  /** How many images of digit `row` were taken for digit `column`. */
  readonly confusion: readonly (readonly number[])[]
  readonly correct: number
  readonly wrong: readonly { readonly image: number; readonly label: number; readonly guess: number }[]
}

function makeModel(): torch.nn.Sequential {
  torch.manualSeed(0)
  return new nn.Sequential(
    new nn.Linear(SIDE * SIDE, 64),
    new nn.ReLU(),
    new nn.Linear(64, 32),
    new nn.ReLU(),
    new nn.Linear(32, 10),
  )
}

export class Trainer {
  private model = makeModel()
  private optimizer = this.makeOptimizer()
  private order: Int32Array = new Int32Array(0)
  private place = 0
  private device = 'cpu'
  private images: torch.Tensor
  private labels: torch.Tensor
  private testImages: torch.Tensor

  constructor(
    private readonly training: Digits,
    private readonly test: Digits,
  ) {
    this.images = imagesOf(training)
    this.labels = torch.tensor(training.labels)
    this.testImages = imagesOf(test)
  }

  /** Steps of one pass over the training images. */
  get stepsPerEpoch(): number {
    return Math.ceil(this.training.labels.length / BATCH)
  }

  private makeOptimizer(): torch.optim.Adam {
    return new optim.Adam(this.model.parameters(), { lr: 0.003 })
  }

  /** Forgets what was learned. */
  reset(): void {
    this.model = makeModel().to(this.device)
    this.optimizer = this.makeOptimizer()
    this.place = 0
  }

  /** Moves the network and the images to a device; the optimizer starts afresh there. */
  async moveTo(device: string): Promise<void> {
    if (device === this.device) return
    const state = await this.state()
    this.device = device
    this.images = imagesOf(this.training).to(device)
    this.labels = torch.tensor(this.training.labels).to(device)
    this.testImages = imagesOf(this.test).to(device)
    this.model = makeModel().to(device)
    this.load(state)
  }

  /** One step on the next batch; the loss. */
  async step(): Promise<number> {
    if (this.place >= this.order.length) {
      this.order = Int32Array.from(
        (await torch.randperm(this.training.labels.length).dataAsync()) as BigInt64Array,
        Number,
      )
      this.place = 0
    }
    const rows = torch
      .tensor(this.order.slice(this.place, this.place + BATCH))
      .long()
      .to(this.device)
    this.place += BATCH
    this.optimizer.zeroGrad()
    const loss = F.crossEntropy(
      this.model(this.images.indexSelect(0, rows)),
      this.labels.indexSelect(0, rows),
    )
    loss.backward()
    this.optimizer.step()
    return (await loss.itemAsync()) as number
  }

  /** What tensors and memory kept for later ones take on the device: `3.5 MiB`. */
  get memory(): string {
    if (this.device === 'cpu') return /reserved +(.*)/.exec(torch.memorySummary())![1]
    const { usedBytes, cachedBytes } = torch.webgpu.statistics()
    return `${((usedBytes + cachedBytes) / 2 ** 20).toFixed(1)} MiB`
  }

  /** Guesses all test images. */
  async run(): Promise<TestResult> {
    const guesses = await torch.noGrad(() => this.model(this.testImages).argmax(1)).dataAsync()
    const confusion = Array.from({ length: 10 }, () => new Array<number>(10).fill(0))
    const wrong: { image: number; label: number; guess: number }[] = []
    this.test.labels.forEach((label, image) => {
      const guess = Number(guesses[image])
      confusion[label][guess]++
      if (guess !== label) wrong.push({ image, label, guess })
    })
    return { confusion, correct: this.test.labels.length - wrong.length, wrong }
  }

  /** How likely each digit is for an image of 64 pixels from 0 to 1. */
  async classify(pixels: Float32Array): Promise<number[]> {
    const image = torch.tensor(pixels).view(1, -1).to(this.device)
    const shares = torch.noGrad(() => this.model(image).softmax(1))
    return Array.from(await shares.dataAsync(), Number)
  }

  /** The parameters, on the CPU. */
  async state(): Promise<Map<string, torch.Tensor>> {
    const state = new torch.OrderedDict<string, torch.Tensor>()
    for (const [name, value] of this.model.stateDict()) state.set(name, (await value.detach().cpu()).clone())
    return state
  }

  /** Takes parameters over. Throws, and changes nothing, where they are not those of such a network. */
  load(state: ReadonlyMap<string, torch.Tensor>): void {
    const fresh = makeModel().to(this.device)
    fresh.loadStateDict(state)
    this.model = fresh
    this.optimizer = this.makeOptimizer()
  }
}

function imagesOf({ pixels }: Digits): torch.Tensor {
  return torch.tensor(pixels).view(-1, SIDE * SIDE)
}
