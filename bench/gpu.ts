// `npm run bench -- --device webgpu`: matrix products and training steps on the GPU, beside PyTorch on CUDA where `PYTHON` has
// it. The peers of the CPU benchmark do not take part.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { markdownTable } from 'markdown-table'
import * as torch from '../src/index.ts'
import { useSoftwareGpu } from '../test/support/software-gpu.ts'

const { nn, optim } = torch
const F = nn.functional
const device = 'webgpu'

/** A workload that takes longer than this, in milliseconds, is not tried in larger sizes. */
const patience = 5000

const usage = `npm run bench -- --device webgpu [options]

  --only <regex>     run the workloads whose name matches, ignoring case
  --sizes <n[,n]>    sides of the matrix products (default 1024,2048,4096,8192)
  --json <file>      the milliseconds as JSON as well
  --peer <device>    what PyTorch runs on, where PYTHON has it (default cuda; cpu shows that the comparison works)
  --help             this text
`

interface Workload {
  readonly name: string
  /** Multiplications and additions, 0 where they are not counted. */
  readonly operations: number
  /** What gpu.py needs to know to do the same; null for products. */
  readonly training: {
    readonly kind: string
    readonly input: readonly number[]
    readonly classes: number
  } | null
  /** Starts the work; what is returned is awaited at the end. */
  readonly make: () => () => torch.Tensor
}

function product(n: number): Workload {
  return {
    name: `matmul ${n}`,
    operations: 2 * n ** 3,
    training: null,
    make: () => {
      const [a, b] = [torch.rand(n, n).to(device), torch.rand(n, n).to(device)]
      return () => a.matmul(b)
    },
  }
}

type Network = torch.nn.Module & ((x: torch.Tensor) => torch.Tensor)

/** A training step on random data: as a user writes it, the loss awaited every time. */
function training(
  kind: string,
  description: string,
  { build, input, classes }: { build: () => Network; input: readonly number[]; classes: number },
): Workload {
  return {
    name: `${kind} step (${description})`,
    operations: 0,
    training: { kind, input, classes },
    make: () => {
      torch.manualSeed(0)
      const model = build().to(device)
      const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 })
      const x = torch.randn(input).to(device)
      const y = torch.randint(0, classes, [input[0]]).to(device)
      return () => {
        optimizer.zeroGrad()
        const loss = F.crossEntropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss
      }
    },
  }
}

class Transformer extends nn.Module {
  encoder = new nn.TransformerEncoder(
    new nn.TransformerEncoderLayer(128, 4, { dimFeedforward: 512, dropout: 0, batchFirst: true }),
    2,
  )
  head = new nn.Linear(128, 10)

  override forward(x: torch.Tensor): torch.Tensor {
    return this.head(this.encoder(x).mean(1))
  }
}

const trainings: readonly Workload[] = [
  training('MLP', 'batch 256, 784-512-512-10', {
    build: () =>
      new nn.Sequential(
        new nn.Linear(784, 512),
        new nn.ReLU(),
        new nn.Linear(512, 512),
        new nn.ReLU(),
        new nn.Linear(512, 10),
      ),
    input: [256, 784],
    classes: 10,
  }),
  training('CNN', 'batch 64, 32 x 32 x 3', {
    build: () =>
      new nn.Sequential(
        new nn.Conv2d(3, 32, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(32, 64, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Linear(4096, 10),
      ),
    input: [64, 3, 32, 32],
    classes: 10,
  }),
  training('Transformer', 'batch 16, 64 x 128, 2 layers', {
    build: () => new Transformer(),
    input: [16, 64, 128],
    classes: 10,
  }),
]

/** Waits for a result, and so for all that was launched before. */
async function finish(result: torch.Tensor): Promise<void> {
  if (result.numel() === 1) await result.itemAsync()
  else await torch.webgpu.synchronize()
}

/** The median of milliseconds of single runs, each awaited; the first two warm up. */
async function measure(run: () => torch.Tensor): Promise<number> {
  const times: number[] = []
  const end = performance.now() + patience
  while (times.length < 3 || (times.length < 12 && performance.now() < end)) {
    const start = performance.now()
    await finish(run())
    times.push(performance.now() - start)
  }
  const measured = times.slice(2).sort((a, b) => a - b)
  return measured[measured.length >> 1]
}

/** Milliseconds of the same in PyTorch, by name; null where `PYTHON` has no PyTorch with that device. */
function pytorch(peer: string, products: readonly number[], steps: readonly Workload[]) {
  const request = {
    sizes: products,
    trainings: steps.map(({ name, training }) => ({ name, ...training })),
    patience,
  }
  const program = fileURLToPath(new URL('./gpu.py', import.meta.url))
  const { stdout, stderr, status } = spawnSync(
    process.env.PYTHON ?? 'python3',
    [program, peer, JSON.stringify(request)],
    { encoding: 'utf8' },
  )
  if (status === 0) return JSON.parse(stdout) as Record<string, number>
  // 3: there is no PyTorch or no such device; null: there is no Python.
  if (status !== 3 && status !== null) console.error(`PyTorch's side failed:\n${stderr}`)
  return null
}

/** Milliseconds and dispatches of one run. */
async function measureStep(workload: Workload): Promise<{ milliseconds: number; dispatches: number }> {
  const run = workload.make()
  const milliseconds = await measure(run)
  const before = torch.webgpu.statistics().dispatches
  await finish(run())
  return { milliseconds, dispatches: torch.webgpu.statistics().dispatches - before }
}

function settingsOf(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      device: { type: 'string' },
      only: { type: 'string', default: '' },
      sizes: { type: 'string', default: '1024,2048,4096,8192' },
      json: { type: 'string' },
      peer: { type: 'string', default: 'cuda' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const sizes = values.sizes.split(',').map(Number)
  if (sizes.some((n) => !Number.isInteger(n) || n < 1))
    throw new Error(`--sizes takes positive whole numbers, not "${values.sizes}"`)
  return { ...values, sizes, only: new RegExp(values.only, 'i') }
}

/** Measures and prints the table. Returns the exit status: 2 for a command line that makes no sense. */
export async function main(args: readonly string[] = []): Promise<number> {
  let settings: ReturnType<typeof settingsOf>
  try {
    settings = settingsOf(args)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  if (settings.help) {
    console.log(usage)
    return 0
  }
  useSoftwareGpu()
  const { vendor, architecture, description } = await torch.webgpu.init()
  console.log(`antorcha on ${[vendor, architecture, description].filter(Boolean).join(', ')}`)
  const measured: { workload: Workload; milliseconds: number; dispatches: number }[] = []
  let last = 0
  for (const n of settings.sizes) {
    const workload = product(n)
    if (!settings.only.test(workload.name)) continue
    // A product of twice the size takes eight times as long.
    const previous = measured.length === 0 ? n : settings.sizes[measured.length - 1]
    const expected = last * (n / previous) ** 3
    if (expected > patience) {
      console.log(`${workload.name}: left out, it would take about ${(expected / 1000).toFixed(0)} s`)
      break
    }
    const result = await measureStep(workload)
    last = result.milliseconds
    measured.push({ workload, ...result })
  }
  const products = settings.sizes.slice(0, measured.length)
  for (const workload of trainings)
    if (settings.only.test(workload.name)) measured.push({ workload, ...(await measureStep(workload)) })
  const steps = measured.map(({ workload }) => workload).filter(({ training }) => training !== null)
  const peer = pytorch(settings.peer, products, steps)
  if (peer === null) console.log(`PyTorch on ${settings.peer}: not here, so nothing to compare with`)
  console.log(table(measured, peer, settings.peer))
  if (settings.json !== undefined) {
    const rows = measured.map(({ workload: { name }, ...numbers }) => ({
      name,
      ...numbers,
      pytorch: peer?.[name] ?? null,
    }))
    writeFileSync(
      settings.json,
      `${JSON.stringify({ adapter: description, peer: settings.peer, rows }, null, 2)}\n`,
    )
  }
  return 0
}

function table(
  measured: readonly { workload: Workload; milliseconds: number; dispatches: number }[],
  peer: Record<string, number> | null,
  peerName: string,
): string {
  const rows = [
    ['workload', 'ms', 'dispatches', 'GFLOP/s', `PyTorch ${peerName}, ms`, "part of PyTorch's rate"],
  ]
  for (const { workload, milliseconds, dispatches } of measured) {
    const other = peer?.[workload.name]
    rows.push([
      workload.name,
      milliseconds.toFixed(2),
      String(dispatches),
      workload.operations === 0 ? '-' : (workload.operations / milliseconds / 1e6).toFixed(1),
      other === undefined ? '-' : other.toFixed(2),
      other === undefined ? '-' : `${((100 * other) / milliseconds).toFixed(0)} %`,
    ])
  }
  return markdownTable(rows, { alignDelimiters: true, align: ['l', 'r', 'r', 'r', 'r', 'r'] })
}
