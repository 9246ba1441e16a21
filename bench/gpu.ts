// `npm run bench -- --device webgpu`: matrix products and training steps on the GPU, beside PyTorch on CUDA where `PYTHON` has
// it. The peers of the CPU benchmark do not take part.

import { spawnSync } from 'node:child_process'
import { markdownTable } from 'markdown-table'
import * as torch from '../src/index.ts'
import { useSoftwareGpu } from '../test/support/software-gpu.ts'

const { nn, optim } = torch
const F = nn.functional
const device = 'webgpu'

/** Products larger than this take minutes on a software driver. */
const sizes = [1024, 2048, 4096, 8192]
/** A workload that takes longer than this, in milliseconds, is not tried in larger sizes. */
const patience = 5000

interface Workload {
  readonly name: string
  /** Multiplications and additions, 0 where they are not counted. */
  readonly operations: number
  /** Starts the work; what is returned is awaited at the end. */
  readonly make: () => () => torch.Tensor
}

function product(n: number): Workload {
  return {
    name: `matmul ${n}`,
    operations: 2 * n ** 3,
    make: () => {
      const [a, b] = [torch.rand(n, n).to(device), torch.rand(n, n).to(device)]
      return () => a.matmul(b)
    },
  }
}

/** A training step on random data: as a user writes it, the loss awaited every time. */
function training(
  name: string,
  build: () => {
    model: (x: torch.Tensor) => torch.Tensor
    parameters: torch.Tensor[]
    input: number[]
    classes: number
  },
): Workload {
  return {
    name,
    operations: 0,
    make: () => {
      torch.manualSeed(0)
      const { model, parameters, input, classes } = build()
      const optimizer = new optim.Adam(parameters, { lr: 1e-3 })
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

const trainings: readonly Workload[] = [
  training('MLP step (batch 256, 784-512-512-10)', () => {
    const model = new nn.Sequential(
      new nn.Linear(784, 512),
      new nn.ReLU(),
      new nn.Linear(512, 512),
      new nn.ReLU(),
      new nn.Linear(512, 10),
    ).to(device)
    return { model, parameters: [...model.parameters()], input: [256, 784], classes: 10 }
  }),
  training('CNN step (batch 64, 32 x 32 x 3)', () => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 32, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(32, 64, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(4096, 10),
    ).to(device)
    return { model, parameters: [...model.parameters()], input: [64, 3, 32, 32], classes: 10 }
  }),
  training('Transformer step (batch 16, 64 x 128, 2 layers)', () => {
    const layer = new nn.TransformerEncoderLayer(128, 4, {
      dimFeedforward: 512,
      dropout: 0,
      batchFirst: true,
    })
    const encoder = new nn.TransformerEncoder(layer, 2).to(device)
    const head = new nn.Linear(128, 10).to(device)
    const model = (x: torch.Tensor) => head(encoder(x).mean(1))
    return {
      model,
      parameters: [...encoder.parameters(), ...head.parameters()],
      input: [16, 64, 128],
      classes: 10,
    }
  }),
]

/** The median of milliseconds of single runs, each awaited; the first two warm up. */
async function measure({ make }: Workload): Promise<number> {
  const run = make()
  const times: number[] = []
  const end = performance.now() + patience
  while (times.length < 3 || (times.length < 12 && performance.now() < end)) {
    const start = performance.now()
    const result = run()
    if (result.numel() === 1) await result.itemAsync()
    else await torch.webgpu.synchronize()
    times.push(performance.now() - start)
  }
  const measured = times.slice(2).sort((a, b) => a - b)
  return measured[measured.length >> 1]
}

const cudaProgram = `
import json, time, torch
if not torch.cuda.is_available(): raise SystemExit('no CUDA')
torch.backends.cuda.matmul.allow_tf32 = False
result = {}
for n in ${JSON.stringify(sizes)}:
    a, b = torch.rand(n, n, device='cuda'), torch.rand(n, n, device='cuda')
    times = []
    for _ in range(12):
        torch.cuda.synchronize(); start = time.perf_counter()
        a @ b
        torch.cuda.synchronize(); times.append(1000 * (time.perf_counter() - start))
    result[f'matmul {n}'] = sorted(times[2:])[5]
print(json.dumps(result))
`

/** Milliseconds of PyTorch's products on CUDA without TF32; empty where there is none. */
function cuda(): Record<string, number> {
  const { stdout, status } = spawnSync(process.env.PYTHON ?? 'python3', ['-c', cudaProgram], {
    encoding: 'utf8',
  })
  return status === 0 ? (JSON.parse(stdout) as Record<string, number>) : {}
}

/** Measures and prints the table. Returns the exit status. */
export async function main(): Promise<number> {
  useSoftwareGpu()
  const { vendor, architecture, description } = await torch.webgpu.init()
  console.log(`antorcha on ${[vendor, architecture, description].filter(Boolean).join(', ')}`)
  const peer = cuda()
  if (Object.keys(peer).length === 0) console.log('PyTorch with CUDA: not here, so nothing to compare with')
  const rows = [['workload', 'ms', 'GFLOP/s', 'PyTorch CUDA, ms', "part of PyTorch's rate"]]
  const add = ({ name, operations }: Workload, milliseconds: number) => {
    const other = peer[name]
    rows.push([
      name,
      milliseconds.toFixed(2),
      operations === 0 ? '-' : (operations / milliseconds / 1e6).toFixed(1),
      other === undefined ? '-' : other.toFixed(2),
      other === undefined ? '-' : `${((100 * other) / milliseconds).toFixed(0)} %`,
    ])
  }
  let last = 0
  for (const n of sizes) {
    // A product of twice the size takes eight times as long.
    if (last * 8 > patience) {
      console.log(`matmul ${n}: left out, it would take about ${((last * 8) / 1000).toFixed(0)} s`)
      break
    }
    const workload = product(n)
    last = await measure(workload)
    add(workload, last)
  }
  for (const workload of trainings) add(workload, await measure(workload))
  console.log(markdownTable(rows, { alignDelimiters: true, align: ['l', 'r', 'r', 'r', 'r'] }))
  return 0
}
