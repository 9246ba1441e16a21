// An LSTM that learns to write, character by character, from this project's documentation.
// `npx tsx examples/char-lstm.ts [steps] [--device webgpu]`

import * as torch from '../src/index.ts'
import { loadText, randomWindows } from './datasets.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch

const { count: steps, device } = await readShortOptions(300)
torch.manualSeed(0)
const text = loadText()

class CharacterModel extends nn.Module {
  embedding: torch.nn.Embedding
  lstm: torch.nn.LSTM
  head: torch.nn.Linear

  constructor(characters: number, hidden: number) {
    super()
    this.embedding = new nn.Embedding(characters, 32)
    this.lstm = new nn.LSTM(32, hidden, { batchFirst: true })
    this.head = new nn.Linear(hidden, characters)
  }

  /** Logits of the next character at each position, and the state to go on from. */
  override forward(tokens: torch.Tensor, state?: readonly [torch.Tensor, torch.Tensor]) {
    const [hidden, next] = this.lstm(this.embedding(tokens), state)
    return [this.head(hidden), next] as const
  }
}

const model = new CharacterModel(text.characters.length, 128).to(device)
const optimizer = new optim.AdamW(model.parameters(), { lr: 5e-3 })

for (let step = 1; step <= steps; step++) {
  const [x, y] = randomWindows(text.tokens, 16, 64)
  optimizer.zeroGrad()
  const [logits] = model(x.to(device))
  const loss = nn.functional.crossEntropy(logits.flatten(0, 1), y.to(device).flatten())
  loss.backward()
  nn.utils.clipGradNorm_(model.parameters(), 1)
  optimizer.step()
  const value = (await loss.itemAsync()) as number
  if (step % 50 === 0 || step === steps) console.log(`step ${step}: loss ${value.toFixed(3)}`)
}

// Writing: the state carries everything that was read, so each step takes one character.
model.eval()
torch.setGradEnabled(false)
let output = 'The '
let [logits, state] = model(text.encode(output).unsqueeze(0).to(device))
// What has learned little has little to say.
for (let i = 0; i < Math.min(200, steps); i++) {
  const probabilities = await logits.at(0, -1).div(0.7).softmax(-1).cpu()
  const token = torch.multinomial(probabilities, 1)
  output += text.decode(token)
  ;[logits, state] = model(token.unsqueeze(0).to(device), state)
}
console.log(`\n${output}`)
