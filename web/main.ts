// The page: buttons, files, the training loop that leaves the page time to breathe. Training itself: trainer.ts.

import * as torch from '../src/index.ts'
import { Board } from './board.ts'
import { drawConfusion, drawCurve, drawShares, drawWrong } from './charts.ts'
import { loadDigits } from './digits.ts'
import { Losses } from './losses.ts'
import { Trainer } from './trainer.ts'

function find<T extends Element>(id: string): T {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no element '${id}'`)
  return element as unknown as T
}

const device = find<HTMLSelectElement>('device')
const train = find<HTMLButtonElement>('train')
const status = find<HTMLElement>('status')
const curve = find<SVGElement>('curve')

const digits = await loadDigits()
const trainer = new Trainer(digits.training, digits.test)
let losses = new Losses()
let running = false
/** The work on the network under way: one thing at a time. */
let busy: Promise<unknown> = Promise.resolve()

function say(text: string): void {
  status.textContent = text
}

/** Does something with the network once what is under way is done; tells what goes wrong. */
function next(work: () => Promise<void>): Promise<void> {
  const done = busy.then(work).catch((error: unknown) => {
    running = false
    train.textContent = 'Train'
    say(error instanceof Error ? error.message : String(error))
  })
  busy = done
  return done
}

const nextFrame = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))

async function showTest(): Promise<void> {
  const result = await trainer.run()
  find<HTMLElement>('accuracy').textContent =
    `${result.correct} (${((100 * result.correct) / digits.test.labels.length).toFixed(1)} %)`
  drawConfusion(find<HTMLTableElement>('confusion'), result)
  drawWrong(find<HTMLElement>('wrong'), find<HTMLElement>('wrong-summary'), digits.test, result)
  await guess()
}

function showSteps(perSecond: number | null): void {
  find<HTMLElement>('step').textContent = String(losses.count)
  find<HTMLElement>('loss').textContent = losses.count === 0 ? '–' : losses.last.toFixed(4)
  find<HTMLElement>('speed').textContent = perSecond === null ? '–' : perSecond.toFixed(0)
  find<HTMLElement>('memory').textContent = trainer.memory
  drawCurve(curve, losses)
}

async function trainUntilStopped(): Promise<void> {
  say(`Training on ${device.selectedOptions[0].textContent} …`)
  let [shown, count] = [performance.now(), 0]
  while (running) {
    losses.add(await trainer.step())
    count++
    const now = performance.now()
    if (now - shown > 100) {
      showSteps((1000 * count) / (now - shown))
      ;[shown, count] = [now, 0]
      await nextFrame()
    }
    if (losses.count % trainer.stepsPerEpoch === 0) {
      await showTest()
      await nextFrame()
    }
  }
  showSteps(null)
  await showTest()
  say(`Stopped after ${losses.count} steps.`)
}

async function guess(): Promise<void> {
  const text = find<HTMLElement>('guess')
  if (board.isEmpty) {
    text.textContent = 'Draw something.'
    drawShares(find<HTMLElement>('shares'), new Array<number>(10).fill(0))
    return
  }
  const shares = await trainer.classify(board.image())
  const best = shares.indexOf(Math.max(...shares))
  text.textContent = `It looks like a ${best} (${(100 * shares[best]).toFixed(0)} %).`
  drawShares(find<HTMLElement>('shares'), shares)
}

async function open(file: File): Promise<void> {
  const state = await torch.loadAsync<ReadonlyMap<string, torch.Tensor>>(file)
  if (!(state instanceof Map)) throw new Error(`${file.name} holds no parameters (a state dict)`)
  trainer.load(state)
  losses = new Losses()
  showSteps(null)
  await showTest()
  say(`Opened ${file.name}.`)
}

async function save(): Promise<void> {
  const bytes = torch.saveToBytes(await trainer.state())
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([bytes]))
  link.download = 'digits.pt'
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  say('Saved as digits.pt; PyTorch opens it, too.')
}

const board = new Board(find<HTMLCanvasElement>('board'), find<HTMLElement>('pad'), () => {
  // While the network is trained, a guess waits for its turn between two steps.
  if (running) void guess()
  else void next(guess)
})

train.addEventListener('click', () => {
  running = !running
  train.textContent = running ? 'Stop' : 'Train'
  if (running) void next(trainUntilStopped)
})

/** Stops training, then does something else. */
function interrupt(work: () => Promise<void>): void {
  running = false
  train.textContent = 'Train'
  void next(work)
}

find<HTMLButtonElement>('reset').addEventListener('click', () =>
  interrupt(async () => {
    trainer.reset()
    losses = new Losses()
    showSteps(null)
    await showTest()
    say('The network has forgotten everything.')
  }),
)
find<HTMLButtonElement>('save').addEventListener('click', () => interrupt(save))
find<HTMLButtonElement>('wipe').addEventListener('click', () => board.wipe())
device.addEventListener('change', () =>
  interrupt(async () => {
    await trainer.moveTo(device.value)
    await showTest()
    say(`The network is on ${device.selectedOptions[0].textContent}.`)
  }),
)

const input = find<HTMLInputElement>('open')
input.addEventListener('change', () => {
  const [file] = input.files ?? []
  if (file !== undefined) interrupt(() => open(file))
  input.value = ''
})

const drop = find<HTMLElement>('drop')
addEventListener('dragover', (event) => {
  // Text and pictures of the page are dragged over it, too.
  if (!event.dataTransfer?.types.includes('Files')) return
  event.preventDefault()
  drop.hidden = false
})
addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) drop.hidden = true
})
addEventListener('drop', (event) => {
  const [file] = event.dataTransfer?.files ?? []
  if (file === undefined) return
  event.preventDefault()
  drop.hidden = true
  interrupt(() => open(file))
})

showSteps(null)
await next(showTest)
const option = device.options[1]
if (await torch.webgpu.isAvailable()) {
  const { vendor, architecture } = torch.webgpu.deviceInfo()!
  option.disabled = false
  option.textContent = `WebGPU (${[vendor, architecture].filter(Boolean).join(' ') || 'your graphics card'})`
} else option.textContent = 'WebGPU (not in this browser)'
say('Ready. Training starts with the button.')
document.documentElement.dataset.ready = 'true'
