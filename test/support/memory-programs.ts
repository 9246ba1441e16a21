// Long synchronous programs, one by name, for test/full/memory.test.ts: each checks its own values all along, and prints as
// JSON what it found and how much memory it took. Run with and without the native addon.

import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/index.ts'

/** What a program prints. */
export interface MemoryReport {
  /** What the tensors held that was not expected; empty where all is well. */
  readonly wrong: readonly string[]
  /** How often the arena looked for dead memory or moved memory out. */
  readonly rounds: number
  /** Bytes of the arena that were in use at most. */
  readonly peak: number
  /** Bytes of the process that were resident at most. */
  readonly resident: number
  /** Bytes of the arena in use at places that the program names. */
  readonly inUse: Readonly<Record<string, number>>
}

type Program = (found: { wrong: string[]; inUse: Record<string, number> }) => void | Promise<void>

const { arena } = cpuBackend

/** Lets the garbage collector find all that is dead. Finalizers run between tasks, some only after a second collection. */
async function collect(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  for (let i = 0; i < 4; i++) {
    gc()
    await wait(5)
  }
}

/** The first position at which a tensor does not hold what `expected` says, as text. Looks at every element. */
function difference(name: string, x: torch.Tensor, expected: (i: number) => number): string[] {
  const values = x.data()
  for (let i = 0; i < values.length; i++)
    if (values[i] !== expected(i)) return [`${name}[${i}] is ${values[i]}, not ${expected(i)}`]
  return []
}

// The gradient of mean(w x) is 1 where x is all ones, so w falls by the learning rate in every step. Product and
// gradient of the product are 10 MB each.
function train(steps: number): Program {
  return ({ wrong }) => {
    const x = torch.ones(2_500_000)
    const w = torch.zeros(1, { requiresGrad: true })
    const optimizer = new torch.optim.SGD([w], { lr: 0.5 })
    for (let i = 0; i < steps; i++) {
      optimizer.zeroGrad()
      w.mul(x).mean().backward()
      optimizer.step()
      if (w.item() !== -0.5 * (i + 1)) wrong.push(`w is ${w.item()} after ${i + 1} steps`)
    }
  }
}

// Fifty products by a tensor of twos: each keeps its first factor, 10 MB. The i-th adds 2^i x times 2^(49 - i) to the
// gradient of the second.
const bigGraph: Program = async ({ wrong, inUse }) => {
  const [n, depth] = [2_500_000, 50]
  const x = torch.arange(n).remainder(7).float().requiresGrad_()
  const w = torch.full([n], 2, { dtype: torch.float32, requiresGrad: true })
  await collect()
  inUse.before = arena.statistics().inUse
  let loss = torch.zeros([])
  for (let round = 1; round <= 4; round++) {
    let h = x as torch.Tensor
    for (let i = 0; i < depth; i++) h = h.mul(w)
    loss = h.sum()
    h = loss
    inUse.built = Math.max(inUse.built ?? 0, arena.statistics().inUse)
    w.grad = null
    x.grad = null
    loss.backward()
    wrong.push(
      ...difference(`the gradient of x in round ${round}`, x.grad!, () => 2 ** depth),
      ...difference(
        `the gradient of w in round ${round}`,
        w.grad!,
        (i) => depth * 2 ** (depth - 1) * (i % 7),
      ),
    )
  }
  await collect()
  // The result is still held; what it was made from is not.
  inUse.after = arena.statistics().inUse
  if (!loss.requiresGrad) wrong.push('the loss has lost its graph')
}

const keep: Program = ({ wrong }) => {
  const elements = 250_000
  const kept = Array.from({ length: 1000 }, (_, i) =>
    torch
      .arange(elements)
      .float()
      .mul(1 / 1024)
      .add(i),
  )
  for (let round = 0; round < 4; round++) {
    for (let step = 0; step < 100; step++) torch.ones(2_500_000).add(step)
    // Some of those kept are at work, so that they come back into the arena between the others.
    for (let i = round; i < kept.length; i += 7) kept[i].add_(1).sub_(1)
    kept.forEach((t, i) => {
      wrong.push(
        ...difference(`tensor ${i} in round ${round}`, t, (k) => Math.fround(Math.fround(k / 1024) + i)),
      )
    })
  }
}

// Each request fails in another place: a size that no arena has, a result too large for its launch, a backward pass, and
// operands that fit one by one but not together.
const exhaust: Program = ({ wrong }) => {
  const kept = Array.from({ length: 200 }, (_, i) => torch.full([100_000], i, { dtype: torch.float32 }))
  const x = torch.arange(1000).float().requiresGrad_()
  x.mul(2).sum().backward()
  const tooLarge = torch.ones(1, { requiresGrad: true })
  class Greedy extends torch.autograd.Function {
    static override forward(_: unknown, y: torch.Tensor): torch.Tensor {
      return y.clone()
    }
    static override backward(_: unknown, g: torch.Tensor): torch.Tensor {
      return g.expand(2 ** 40).add(1)
    }
  }
  // As if the system had no more than 384 MiB.
  const { memory } = arena
  const grow = memory.grow.bind(memory)
  memory.grow = (pages) => {
    if (memory.buffer.byteLength + pages * 2 ** 16 > 384 * 2 ** 20) throw new RangeError('no more memory')
    return grow(pages)
  }
  const halves = [1, 2].map((value) => torch.full([50_000_000], value, { dtype: torch.float32 }))
  const attempts: [string, () => unknown][] = [
    ['an allocation', () => torch.zeros(2 ** 40)],
    ['a large result', () => x.expand(2 ** 31, 1000).add(1)],
    ['a backward pass', () => Greedy.apply(tooLarge.mul(x).sum()).backward()],
    ['a sum of two', () => halves[0].add(halves[1])],
    ['a sum in place', () => halves[0].add_(halves[1])],
  ]
  for (let round = 0; round < 2; round++)
    for (const [name, attempt] of attempts) {
      try {
        attempt()
        wrong.push(`${name} did not fail`)
      } catch (error) {
        if (!(error instanceof torch.OutOfMemoryError)) wrong.push(`${name} threw ${error}`)
      }
      if (tooLarge.grad !== null) wrong.push(`${name} left a gradient`)
      wrong.push(
        ...kept.flatMap((t, i) => difference(`tensor ${i} after ${name}`, t, () => i)),
        ...halves.flatMap((t, i) => difference(`half ${i} after ${name}`, t, () => i + 1)),
        ...difference(`x after ${name}`, x.detach(), (i) => i),
        ...difference(`the gradient after ${name}`, x.grad!, () => 2),
      )
    }
  // The program goes on.
  x.grad = null
  x.mul(x).sum().backward()
  wrong.push(...difference('the next gradient', x.grad!, (i) => 2 * i))
}

const programs: Record<string, Program> = {
  'train-10000': train(10_000),
  'train-2000': train(2_000),
  'big-graph': bigGraph,
  keep,
  exhaust,
}

const found = { wrong: [] as string[], inUse: {} as Record<string, number> }
await programs[process.argv[2]](found)
const { evacuations, collections, peak } = arena.statistics()
const report: MemoryReport = {
  ...found,
  wrong: found.wrong.slice(0, 10),
  rounds: evacuations + collections,
  peak,
  resident: process.resourceUsage().maxRSS * 1024,
}
console.log(JSON.stringify(report))
