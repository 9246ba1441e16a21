// Gradient clipping and a learning-rate schedule: a linear warm-up, then a cosine down to zero. A terminal shows the curves.
// `npx tsx examples/schedules.ts [steps] [--device webgpu]`

import * as torch from '../src/index.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch
const { LinearLR, CosineAnnealingLR, SequentialLR } = optim.lrScheduler

const { count: steps, device } = await readShortOptions(300)
const warmUp = Math.ceil(steps / 10)
torch.manualSeed(0)

// A noisy sine with a few wild outliers, which is what makes clipping worth it.
const x = torch.linspace(-3, 3, 256).unsqueeze(1)
const y = x.mul(2).sin().add(torch.randn(256, 1).mul(0.1))
for (const i of [10, 99, 200]) y.setAt([i, 0], 30)

const model = new nn.Sequential(new nn.Linear(1, 64), new nn.Tanh(), new nn.Linear(64, 1)).to(device)
const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 })
const scheduler = new SequentialLR(
  optimizer,
  [
    new LinearLR(optimizer, { startFactor: 0.1, totalIters: warmUp }),
    new CosineAnnealingLR(optimizer, steps - warmUp),
  ],
  [warmUp],
)

const curves = torch.utils.plot({ title: 'training' })
const [inputs, targets] = [x.to(device), y.to(device)]
for (let step = 1; step <= steps; step++) {
  optimizer.zeroGrad()
  const loss = nn.functional.huberLoss(model(inputs), targets)
  loss.backward()
  const norm = nn.utils.clipGradNorm_(model.parameters(), 0.5)
  optimizer.step()
  const [lr] = scheduler.getLastLr()
  scheduler.step()
  const value = Number(await loss.itemAsync())
  curves.add({ loss: value, gradient: Number(await norm.itemAsync()) }, step)
  if (step === 1 || step % Math.ceil(steps / 10) === 0)
    console.log(
      `step ${String(step).padStart(3)}  lr ${Number(lr).toFixed(4)}  gradient ${Number(await norm.itemAsync()).toFixed(3)}  loss ${value.toFixed(4)}`,
    )
}
curves.finish()
