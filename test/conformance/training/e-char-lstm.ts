// e_char_lstm: characters, Embedding and LSTM, clipped gradients, greedy text afterwards.

import * as torch from '../../../src/index.ts'
import { copyOf, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch
const F = nn.functional

type State = [torch.Tensor, torch.Tensor]

class CharModel extends nn.Module {
  embedding: torch.nn.Embedding
  lstm: torch.nn.LSTM
  out: torch.nn.Linear

  constructor(characters: number, emb: number, hidden: number, layers: number) {
    super()
    this.embedding = new nn.Embedding(characters, emb)
    this.lstm = new nn.LSTM(emb, hidden, { numLayers: layers, batchFirst: true })
    this.out = new nn.Linear(hidden, characters)
  }

  override forward(x: torch.Tensor, state: State | null = null): [torch.Tensor, State] {
    const [y, next] = this.lstm(this.embedding(x), state)
    return [this.out(y), next as State]
  }
}

export async function run({ config, device }: RunInput): Promise<RunOutput> {
  const { emb, hidden, layers, lr, seq, steps } = config as Record<string, number>
  // The text is recorded as Python's repr of it.
  const text = (config.text as string).slice(1, -1)
  const chars = [...new Set(text)].sort()
  const data = torch.tensor([...text].map((c) => chars.indexOf(c)))
  const model = new CharModel(chars.length, emb, hidden, layers).to(device)
  const initial = copyOf(model.stateDict())
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    const starts = torch.randint(0, text.length - seq - 1, [4]).tolist() as number[]
    const x = torch.stack(starts.map((s) => data.at(`${s}:${s + seq}`))).to(device)
    const y = torch.stack(starts.map((s) => data.at(`${s + 1}:${s + seq + 1}`))).to(device)
    const [logits] = model(x)
    const loss = F.crossEntropy(logits.reshape(-1, chars.length), y.reshape(-1))
    optimizer.zeroGrad()
    loss.backward()
    nn.utils.clipGradNorm_(model.parameters(), 1.0)
    optimizer.step()
    losses.push((await loss.itemAsync()) as number)
  }
  model.eval()
  let state: State | null = null
  let c = data.at(':1').view(1, 1).to(device)
  let greedy = ''
  for (let i = 0; i < 30; i++) {
    const [logits, next]: [torch.Tensor, State] = model(c, state)
    state = next
    c = logits.at(':', -1).argmax(1, { keepdim: true })
    greedy += chars[(await c.itemAsync()) as number]
  }
  return { initial, losses, final: model.stateDict(), evaluation: { greedy } }
}
