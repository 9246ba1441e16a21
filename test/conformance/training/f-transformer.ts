// f_transformer, f_transformer_no_dropout: classification with a TransformerEncoder, AdamW.

import * as torch from '../../../src/index.ts'
import { copyOf, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch
const F = nn.functional

class Classifier extends nn.Module {
  embedding: torch.nn.Embedding
  position: torch.nn.Parameter
  encoder: torch.nn.TransformerEncoder
  head: torch.nn.Linear

  constructor(config: RunInput['config']) {
    super()
    const { d, heads, ff, len, drop } = config as Record<string, number>
    this.embedding = new nn.Embedding(12, d)
    this.position = new nn.Parameter(torch.randn(len, d).mul(0.1))
    const layer = new nn.TransformerEncoderLayer(d, heads, {
      dimFeedforward: ff,
      dropout: drop,
      batchFirst: true,
      activation: config.act as 'relu' | 'gelu',
      normFirst: config.nf as boolean,
    })
    this.encoder = new nn.TransformerEncoder(layer, 2)
    this.head = new nn.Linear(d, 3)
  }

  override forward(x: torch.Tensor): torch.Tensor {
    const h = this.encoder(this.embedding(x).add(this.position))
    return this.head(h.mean(1))
  }
}

export async function run({ config, device }: RunInput): Promise<RunOutput> {
  const { len, n, lr, steps } = config as Record<string, number>
  const X = torch.randint(0, 12, [n, len])
  const Y = X.sum(1).remainder(3)
  const model = new Classifier(config).to(device)
  const initial = copyOf(model.stateDict())
  const optimizer = new optim.AdamW(model.parameters(), { lr })
  model.train()
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    const idx = torch.randperm(n).at(':16')
    const loss = F.crossEntropy(model(X.at(idx).to(device)), Y.at(idx).to(device))
    optimizer.zeroGrad()
    loss.backward()
    optimizer.step()
    losses.push((await loss.itemAsync()) as number)
  }
  return { initial, losses, final: model.stateDict(), evaluation: { X, Y } }
}
