// Training that can be interrupted: model, optimizer, scheduler and random numbers go into a checkpoint, and a second
// program that starts from it ends at the very same weights. `npx tsx examples/resume.ts [epochs] [--device webgpu]`

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as torch from '../src/index.ts'
import { loadDigits } from './datasets.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch
const { DataLoader, TensorDataset } = torch.utils.data

const { count: epochs, device } = await readShortOptions(6)
const [images, labels] = loadDigits()

/** Everything that a training run consists of. */
function start() {
  const model = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(64, 32),
    new nn.Dropout(0.2),
    new nn.Linear(32, 10),
  ).to(device)
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
  const scheduler = new optim.lrScheduler.StepLR(optimizer, 2, { gamma: 0.5 })
  const loader = new DataLoader(new TensorDataset(images, labels), { batchSize: 50, shuffle: true })
  return { model, optimizer, scheduler, loader }
}
type Run = ReturnType<typeof start>

async function trainEpoch({ model, optimizer, scheduler, loader }: Run, epoch: number): Promise<void> {
  let total = 0
  for (const [x, y] of loader) {
    optimizer.zeroGrad()
    const loss = nn.functional.crossEntropy(model(x.to(device)), y.to(device))
    loss.backward()
    optimizer.step()
    total += (await loss.itemAsync()) as number
  }
  scheduler.step()
  console.log(`  epoch ${epoch}: loss ${(total / loader.length).toFixed(4)}`)
}

async function save({ model, optimizer, scheduler }: Run, epoch: number, path: string): Promise<void> {
  const random = torch.getRngState()
  await torch.saveAsync(
    {
      epoch,
      model: model.stateDict(),
      optimizer: optimizer.stateDict(),
      scheduler: scheduler.stateDict(),
      random,
    },
    path,
  )
}

/** Fills a new run from a checkpoint, and returns the last epoch that it had finished. */
function load({ model, optimizer, scheduler }: Run, path: string): number {
  // A dictionary of Python's is a Map here.
  const checkpoint = torch.load(path) as Map<string, never>
  model.loadStateDict(checkpoint.get('model')!)
  optimizer.loadStateDict(checkpoint.get('optimizer')!)
  scheduler.loadStateDict(checkpoint.get('scheduler')!)
  torch.setRngState(checkpoint.get('random')!)
  return checkpoint.get('epoch')!
}

const folder = mkdtempSync(join(tmpdir(), 'antorcha-resume-'))
try {
  const path = join(folder, 'checkpoint.pt')
  const half = Math.ceil(epochs / 2)

  console.log('without a break:')
  torch.manualSeed(0)
  const whole = start()
  for (let epoch = 1; epoch <= epochs; epoch++) {
    await trainEpoch(whole, epoch)
    if (epoch === half) await save(whole, epoch, path)
  }

  console.log(`from the checkpoint of epoch ${half}:`)
  torch.manualSeed(123)
  const resumed = start()
  for (let epoch = load(resumed, path) + 1; epoch <= epochs; epoch++) await trainEpoch(resumed, epoch)

  await whole.model.cpu()
  await resumed.model.cpu()
  const expected = whole.model.stateDict()
  const isSame = [...resumed.model.stateDict()].every(([name, value]) =>
    torch.equal(value, expected.get(name)!),
  )
  console.log(isSame ? 'both runs end at the same weights, bit by bit' : 'the runs differ')
  if (!isSame) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
