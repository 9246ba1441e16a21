// Programs on the GPU, each run in a process of its own by test/full/webgpu.test.ts, because Dawn does not end well inside
// a test worker: `webgpu-programs.ts <name>` prints what the program found as one line of JSON.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as torch from '../../src/index.ts'
import { useSoftwareGpu } from './software-gpu.ts'

const { nn, optim } = torch
const device = 'webgpu'

function model(): torch.nn.Sequential {
  torch.manualSeed(1)
  return new nn.Sequential(
    new nn.Linear(64, 64),
    new nn.ReLU(),
    new nn.Linear(64, 32),
    new nn.ReLU(),
    new nn.Linear(32, 10),
  )
}

type Step = () => torch.Tensor

/** A training step of the digits' network on the GPU. */
function trainingStep(make: (parameters: Iterable<torch.Tensor>) => torch.optim.Optimizer): Step {
  const network = model().to(device)
  const optimizer = make(network.parameters())
  const x = torch.rand(32, 64)
  const y = torch.randint(0, 10, [32])
  return () => {
    optimizer.zeroGrad()
    const loss = nn.functional.crossEntropy(network(x.to(device)), y.to(device))
    loss.backward()
    optimizer.step()
    return loss
  }
}

const adam = (parameters: Iterable<torch.Tensor>) => new optim.Adam([...parameters], { lr: 0.01 })
const sgd = (parameters: Iterable<torch.Tensor>) => new optim.SGD([...parameters], { lr: 0.1, momentum: 0.9 })

async function messageOf(run: () => unknown): Promise<string> {
  try {
    await run()
    return 'no error'
  } catch (error) {
    return String(error)
  }
}

const programs: Record<string, () => Promise<unknown>> = {
  async available() {
    return torch.webgpu.isAvailable()
  },

  /** Checkpoints of tensors on the GPU, and to the GPU. */
  async checkpoints() {
    const folder = mkdtempSync(join(tmpdir(), 'antorcha-gpu-'))
    try {
      const path = join(folder, 'model.pt')
      const network = model().to(device)
      const refusal = await messageOf(() => torch.save(network.stateDict(), path))
      await torch.saveAsync(network.stateDict(), path)
      const onCpu = torch.load<Map<string, torch.Tensor>>(path)
      const onGpu = torch.load<Map<string, torch.Tensor>>(path, { mapLocation: device })
      const differences = await Promise.all(
        [...onGpu].map(async ([name, tensor]) => {
          const back = await tensor.cpu()
          return (
            torch.equal(back, onCpu.get(name)!) &&
            torch.equal(back, await network.stateDict().get(name)!.cpu())
          )
        }),
      )
      torch.save(torch.zeros(1, { dtype: torch.float64 }), path)
      return {
        refusal,
        devices: [...new Set([...onCpu.values(), ...onGpu.values()].map((x) => String(x.device)))],
        same: differences.every(Boolean),
        float64: await messageOf(() => torch.load(path, { mapLocation: device })),
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },

  /** Why there is no GPU, from everything that a program may call first. */
  async unavailable() {
    return {
      available: await torch.webgpu.isAvailable(),
      init: await messageOf(() => torch.webgpu.init()),
      create: await messageOf(() => torch.zeros(2, { device })),
      move: await messageOf(() => torch.zeros(2).to(device)),
    }
  },

  /** Choosing an adapter: the one that was chosen, a wrong choice, and a choice that comes too late. */
  async choosing() {
    const wrong = await messageOf(() => torch.webgpu.init({ powerPreference: 'fast' as 'low-power' }))
    const before = torch.webgpu.deviceInfo()
    const chosen = await torch.webgpu.init({ powerPreference: 'high-performance' })
    const sum = await torch.ones(3, { device }).sum().itemAsync()
    const late = await messageOf(() => torch.webgpu.init({ powerPreference: 'low-power' }))
    return { wrong, before, chosen, sum, late, again: await torch.webgpu.init() }
  },

  /** What sits in the queue before there is a device is computed once there is one. */
  async beforeTheDevice() {
    const y = torch.ones(2, 2, { device }).add(torch.tensor([1, 2], { device }))
    return y.tolistAsync()
  },

  async reading() {
    const x = torch.arange(6, { device }).reshape(2, 3).t()
    const onCpu = await x.cpu()
    return {
      list: await x.tolistAsync(),
      data: Array.from(await x.dataAsync(), Number),
      item: await x.sum().itemAsync(),
      cpu: [String(onCpu.device), onCpu.tolist()],
      text: String(x),
      awaitedText: await x.toStringAsync(),
      synchronous: await Promise.all([
        messageOf(() => x.tolist()),
        messageOf(() => torch.tensor([1], { device }).item()),
        messageOf(() => x.to('cpu')),
      ]),
      float64: await messageOf(() => torch.zeros(2, { device, dtype: torch.float64 })),
    }
  },

  /** Operands on two devices: only a CPU tensor without dimensions goes with any. */
  async mixing() {
    const [x, y, one] = [torch.ones(2, { device }), torch.ones(2), torch.tensor(1.5)]
    return {
      scalar: await Promise.all([x.add(one), one.add(x)].map((t) => t.tolistAsync())),
      refused: await Promise.all([
        messageOf(() => x.add(y)),
        messageOf(() => y.add(x)),
        messageOf(() => torch.cat([x, y])),
      ]),
    }
  },

  async losing() {
    const x = torch.ones(2, { device })
    await torch.webgpu.synchronize()
    const { ready } = await import('../../src/backends/webgpu/device.ts')
    ready()!.destroy()
    await ready()?.lost
    await new Promise((resolve) => setTimeout(resolve, 50))
    const lost = await messageOf(() => x.tolistAsync())
    const again = await messageOf(() => torch.zeros(2, { device }))
    await torch.webgpu.init()
    return {
      lost,
      again,
      afterwards: await torch.ones(2, { device }).tolistAsync(),
      old: [await messageOf(() => x.tolistAsync()), await messageOf(() => x.add(1))],
    }
  },

  /** int64 arithmetic on the GPU and on the CPU, as text. */
  async integers() {
    const values = [0n, 1n, -1n, 7n, -12345678901n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 4294967296n]
    const results = async (where: string) => {
      const x = torch.tensor(values, { dtype: torch.int64 }).to(where)
      const a = x.unsqueeze(1)
      const b = x.unsqueeze(0)
      const divisor = b.where(b.ne(0), b.add(3))
      const tensors = [
        a.add(b),
        a.sub(b),
        a.mul(b),
        a.div(divisor, { roundingMode: 'trunc' }),
        a.remainder(divisor),
        a.lt(b),
        a.eq(b),
        torch.maximum(a, b),
        a.bitwiseAnd(b),
        a.bitwiseXor(b),
        a.sum(0),
        x.to(torch.float32),
        x.to(torch.int32),
        torch
          .zeros(3, { dtype: torch.int64, device: where })
          .indexAdd(0, torch.tensor([0, 1, 0, 1, 2, 0, 1, 1, 2], { device: where }), x),
      ]
      const lists = []
      for (const t of tensors) lists.push(Array.from(await t.dataAsync(), String).join(' '))
      return lists
    }
    return { cpu: await results('cpu'), gpu: await results(device) }
  },

  async narrow() {
    const x = torch.tensor([0, -0.5, 65504, 70000, 6e-8, Number.NaN, Number.NEGATIVE_INFINITY, 1 / 3])
    const results = async (where: string) => {
      const t = x.to(where)
      const tensors = [
        t.to(torch.float16),
        t.to(torch.bfloat16),
        t.nanToNum(0, { posinf: 0, neginf: 0 }).clamp(-100, 100).to(torch.int8),
        t.to(torch.bool),
        t.to(torch.float16).add(1).to(torch.float32),
      ]
      const lists = []
      for (const r of tensors) lists.push(Array.from(await r.dataAsync(), String).join(' '))
      return lists
    }
    return { cpu: await results('cpu'), gpu: await results(device) }
  },

  /** The same seed gives the same numbers on both devices. */
  async random() {
    const results = async (where: string) => {
      torch.manualSeed(7)
      const [a, b] = [torch.rand(5, { device: where }), torch.randn(5, { device: where })]
      const dropped = torch.nn.functional.dropout(torch.ones(20, { device: where }), 0.5, { training: true })
      const lists = []
      for (const t of [a, b, dropped]) lists.push(Array.from(await t.dataAsync(), Number))
      return lists
    }
    return { cpu: await results('cpu'), gpu: await results(device) }
  },

  /** Independent additions and a chain of them, several times in one submission each: values, and numbers of dispatches. */
  async merging() {
    const [values, counts]: [number[][], number[]] = [[], []]
    for (let round = 0; round < 5; round++) {
      const before = torch.webgpu.statistics().dispatches
      const xs = Array.from({ length: 7 }, (_, i) => torch.tensor([i, i], { device }))
      const sums = xs.map((x) => x.mul(3)).map((x) => x.add(1))
      let chain = torch.tensor([100, 100], { device })
      for (let i = 0; i < 5; i++) chain = chain.add(1)
      const whole = torch.stack([...sums, chain])
      values.push((await whole.select(1, 1).tolistAsync()) as number[])
      counts.push(torch.webgpu.statistics().dispatches - before)
    }
    return { values, dispatches: counts }
  },

  /** Dispatches and submissions of one step, once optimizer state exists. */
  async counts() {
    const counts = []
    for (const make of [adam, sgd]) {
      const step = trainingStep(make)
      for (let i = 0; i < 3; i++) await step().itemAsync()
      const before = torch.webgpu.statistics()
      await step().itemAsync()
      const after = torch.webgpu.statistics()
      counts.push({
        dispatches: after.dispatches - before.dispatches,
        submissions: after.submissions - before.submissions,
      })
    }
    return counts
  },

  /** Bytes of buffers and of the process, every 200 steps of a loop that awaits once in each. */
  async memory() {
    const step = trainingStep(adam)
    const measured = []
    for (let i = 1; i <= 2000; i++) {
      await step().itemAsync()
      if (i % 200 > 0) continue
      const { usedBytes, cachedBytes } = torch.webgpu.statistics()
      measured.push({ buffers: usedBytes + cachedBytes, resident: process.memoryUsage().rss })
    }
    return measured
  },

  /** Losses of a step as written and captured, with dropout, and what was replayed. */
  async capture() {
    const losses = async (captured: boolean) => {
      torch.manualSeed(3)
      let dispatches = 0
      const network = new nn.Sequential(
        // Products large enough for tiles, and functions that go into them.
        new nn.Linear(16, 128),
        new nn.GELU(),
        new nn.Linear(128, 32),
        new nn.ReLU(),
        new nn.Dropout(0.25),
        new nn.Linear(32, 4),
      ).to(device)
      const optimizer = adam(network.parameters())
      const scheduler = new optim.lrScheduler.StepLR(optimizer, 4)
      const body = (x: torch.Tensor, y: torch.Tensor) => {
        optimizer.zeroGrad()
        const loss = nn.functional.crossEntropy(network(x), y)
        loss.backward()
        optimizer.step()
        return loss
      }
      const step = captured ? torch.graph.capture(body) : body
      const found: number[] = []
      for (let i = 0; i < 10; i++) {
        const [x, y] = [torch.randn(24, 16).to(device), torch.randint(0, 4, [24]).to(device)]
        const before = torch.webgpu.statistics().dispatches
        found.push((await step(x, y).itemAsync()) as number)
        dispatches = torch.webgpu.statistics().dispatches - before
        scheduler.step()
      }
      return { found, dispatches, replays: 'replays' in step ? step.replays : 0 }
    }
    return { eager: await losses(false), captured: await losses(true) }
  },

  /** Matrices and functions that no shader has, between launches: differences from the CPU, and what a singular matrix does. */
  async computing() {
    const [a, ones] = [torch.randn(4, 4), torch.ones(4, 1)]
    const results = async (where: string) => {
      const x = a.clone().to(where).requiresGrad_()
      const y = torch.linalg.inv(x.add(1).mul(2)).add(3).mul(torch.special.besselJ0(x.detach()))
      const z = torch.linalg
        .solve(x.mul(2), ones.to(where))
        .sum()
        .add(torch.linalg.det(x.mul(1)))
      y.sum().add(z).backward()
      const [, s] = torch.linalg.svd(x.detach().mul(1))
      return Promise.all(
        [y, z, x.grad!, s, torch.igamma(x.detach().abs(), x.detach().exp())].map((t) => t.detach().cpu()),
      )
    }
    const [cpu, gpu] = [await results('cpu'), await results(device)]
    return {
      differences: cpu.map((expected, i) => {
        const scale = Math.max(1, Number(expected.abs().max().item()))
        return Number(gpu[i].sub(expected).abs().max().item()) / scale
      }),
      error: await messageOf(() => torch.linalg.inv(torch.zeros(2, 2, { device }).mul(1)).cpu()),
      afterwards: await torch.ones(2, { device }).add(1).tolistAsync(),
    }
  },

  /** Products of the half types, their largest difference from the CPU in units of the last place of the largest value. */
  async halfProducts() {
    const differences: number[] = []
    for (const [dtype, unit] of [
      [torch.float16, 2 ** -10],
      [torch.bfloat16, 2 ** -7],
    ] as const) {
      const [a, b] = [torch.randn(70, 90).to(dtype), torch.randn(90, 33).to(dtype)]
      const gpu = await a.to(device).matmul(b.to(device)).float().cpu()
      const exact = a.float().matmul(b.float())
      const scale = Number(exact.abs().max().item()) * unit
      differences.push(Number(gpu.sub(exact).abs().max().item()) / scale)
    }
    return differences
  },

  /** Reductions that a workgroup shares. ANTORCHA_TEST_FEATURES: all or none of the optional features, or on the CPU. */
  async reductions() {
    const which = process.env.ANTORCHA_TEST_FEATURES
    if (which !== 'cpu') await torch.webgpu.init({ optionalFeatures: which === 'all' })
    const where = which === 'cpu' ? 'cpu' : device
    const x = torch.randn(3, 1000).to(where)
    const whole = torch.arange(3000).reshape(3, 1000).to(where)
    const odd = x.clone()
    odd.select(0, 1).select(0, 77).fill_(Number.NaN)
    const results = [
      x.sum(1),
      x.amax(1),
      odd.amin(1),
      x.div(10).add(1).prod(1),
      whole.sum(1),
      whole.amax(1),
      whole.gt(1500).any(1),
      whole.gt(1500).all(1),
      x.softmax(1).amax(1),
      x.logsumexp(1),
      x.matmul(x.t()).flatten(),
    ]
    return Promise.all(
      results.map(async (r) =>
        Array.from(await r.dataAsync(), Number).map((v) => (Number.isNaN(v) ? -99 : v)),
      ),
    )
  },

  /** Forward and backward of odd shapes through the tiled product, largest difference from the CPU. */
  async products() {
    const differences: number[] = []
    for (const [m, k, n] of [
      [100, 70, 90],
      [33, 64, 65],
      [130, 300, 257],
    ]) {
      const [a, b] = [torch.randn(m, k), torch.randn(n, k)]
      const gradients = async (where: string) => {
        const [x, y] = [a, b].map((t) => t.clone().to(where).requiresGrad_())
        const product = x.matmul(y.t())
        product.mul(product).sum().backward()
        return Promise.all([product, x.grad!, y.grad!].map((t) => t.detach().cpu()))
      }
      const [cpu, gpu] = [await gradients('cpu'), await gradients(device)]
      cpu.forEach((expected, i) => {
        const scale = Number(expected.abs().max().item())
        differences.push(Number(gpu[i].sub(expected).abs().max().item()) / scale)
      })
    }
    return differences
  },

  /** A transform of real numbers and back on the GPU and on the CPU, with gradients, of lengths that are split and that are not. */
  async transforms() {
    const differences: number[] = []
    for (const n of [7, 30]) {
      const x = torch.randn(n, 3)
      const results = async (where: string) => {
        const given = x.clone().to(where).requiresGrad_()
        const back = torch.fft.irfft(torch.fft.rfft(given, { dim: 0 }).abs(), { n, dim: 0 })
        back.pow(2).sum().backward()
        return Promise.all([back, given.grad!].map((t) => t.detach().cpu()))
      }
      const [cpu, gpu] = [await results('cpu'), await results(device)]
      for (let i = 0; i < cpu.length; i++) differences.push(Number(cpu[i].sub(gpu[i]).abs().max().item()))
    }
    return differences
  },

  /**
   * Attention and its gradients in one kernel against the composition on the CPU: the largest differences for rows that fill no
   * tile, several batches, every kind of mask, masked rows; then of second derivatives; and the name of its node.
   * `ANTORCHA_TEST_FEATURES` is 'none' for what every device can do.
   */
  async attention() {
    await torch.webgpu.init({ optionalFeatures: process.env.ANTORCHA_TEST_FEATURES !== 'none' })
    const { scaledDotProductAttention } = torch.nn.functional
    const differences: number[] = []
    let node = ''
    for (const [rows, keys, features, depth] of [
      [5, 7, 3, 5],
      [70, 130, 20, 12],
    ])
      for (const kind of ['none', 'causal', 'bool', 'float']) {
        const batch = kind === 'none' ? [] : kind === 'causal' ? [2] : [2, 3]
        const inputs = [
          [rows, features],
          [keys, features],
          [keys, depth],
        ].map((own) => torch.randn([...batch, ...own]))
        const grad = torch.randn([...batch, rows, depth])
        const visible = torch.rand(rows, keys).gt(0.4)
        visible.at(0).fill_(false)
        const mask =
          kind === 'bool'
            ? visible
            : kind === 'float'
              ? torch.randn(rows, keys).maskedFill(visible.logicalNot(), Number.NEGATIVE_INFINITY)
              : null
        const results = async (where: string) => {
          const [q, k, v] = inputs.map((x) => x.clone().to(where).requiresGrad_())
          const attnMask = mask?.to(where) ?? null
          const out = scaledDotProductAttention(q, k, v, { attnMask, isCausal: kind === 'causal' })
          out.backward(grad.to(where))
          node = out.gradFn!.name()
          return Promise.all([out, q.grad!, k.grad!, v.grad!].map((t) => t.detach().cpu()))
        }
        const [cpu, gpu] = [await results('cpu'), await results(device)]
        for (let i = 0; i < cpu.length; i++) differences.push(Number(cpu[i].sub(gpu[i]).abs().max().item()))
      }
    const inputs = [1, 2, 3].map(() => torch.randn(2, 5, 8))
    const second = async (where: string) => {
      const [q, k, v] = inputs.map((x) => x.clone().to(where).requiresGrad_())
      const out = scaledDotProductAttention(q, k, v, { isCausal: true })
      const [g] = torch.autograd.grad(out.pow(2).sum(), [q], { createGraph: true })
      g!.pow(2).sum().backward()
      return Promise.all([q, k, v].map((t) => t.grad!.cpu()))
    }
    const [cpu, gpu] = [await second('cpu'), await second(device)]
    for (let i = 0; i < cpu.length; i++) differences.push(Number(cpu[i].sub(gpu[i]).abs().max().item()))
    return { differences, node }
  },
}

if (process.env.ANTORCHA_NO_DRIVER === undefined) useSoftwareGpu()
const result = await programs[process.argv[2]]()
console.log(JSON.stringify(result))
