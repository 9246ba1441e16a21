// Training steps of a convolutional, a recurrent and an attention network, written for antorcha and PyTorch. The result is
// the loss; the same seed gives the same weights and dropout masks in both.

import type { Torch, Workload } from '../workload.ts'
import { trainingStep } from './networks.ts'

const cnn: Workload = {
  name: 'CNN step',
  target: { pytorch: 0.9 },
  inputs: (torch) => ({ x: torch.rand(64, 1, 28, 28), labels: torch.randint(0, 10, [64]) }),
  antorcha: (torch, { x, labels }) => {
    const { nn } = torch
    torch.manualSeed(0)
    const model = new nn.Sequential(
      new nn.Conv2d(1, 32, 3, { padding: 1 }),
      new nn.BatchNorm2d(32),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(32, 64, 3, { padding: 1 }),
      new nn.BatchNorm2d(64),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Linear(64 * 7 * 7, 10),
    )
    const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.01, momentum: 0.9 })
    return trainingStep(optimizer, () => nn.functional.crossEntropy(model(x), labels))
  },
  pytorch: `
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(64 * 7 * 7, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), labels)
    loss.backward()
    optimizer.step()
    return loss`,
  compare: { calls: 3 },
}

const tokens = (batch: number, length: number) => (torch: typeof Torch) => ({
  x: torch.randint(0, 64, [batch, length]),
  labels: torch.randint(0, 64, [batch, length]),
})

const lstm: Workload = {
  name: 'LSTM step',
  target: { pytorch: 0.9 },
  inputs: tokens(32, 50),
  antorcha: (torch, { x, labels }) => {
    const { nn } = torch
    torch.manualSeed(0)
    const model = new nn.ModuleDict({
      embedding: new nn.Embedding(64, 64),
      lstm: new nn.LSTM(64, 128, { batchFirst: true }),
      head: new nn.Linear(128, 64),
    })
    const embedding = model.get('embedding') as unknown as Torch.nn.Embedding
    const recurrent = model.get('lstm') as unknown as Torch.nn.LSTM
    const head = model.get('head') as unknown as Torch.nn.Linear
    const optimizer = new torch.optim.Adam(model.parameters())
    return trainingStep(optimizer, () => {
      const [states] = recurrent(embedding(x))
      return nn.functional.crossEntropy(head(states).view(-1, 64), labels.view(-1))
    })
  },
  pytorch: `
torch.manual_seed(0)
embedding, lstm, head = nn.Embedding(64, 64), nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 64)
optimizer = torch.optim.Adam([*embedding.parameters(), *lstm.parameters(), *head.parameters()])
def step():
    optimizer.zero_grad()
    states, _ = lstm(embedding(x))
    loss = F.cross_entropy(head(states).view(-1, 64), labels.view(-1))
    loss.backward()
    optimizer.step()
    return loss`,
  compare: { calls: 3 },
}

function transformer(name: string, dropout: number): Workload {
  return {
    name,
    target: { pytorch: 0.8 },
    inputs: tokens(16, 64),
    antorcha: (torch, { x, labels }) => {
      const { nn } = torch
      torch.manualSeed(0)
      const embedding = new nn.Embedding(64, 128)
      const layer = new nn.TransformerEncoderLayer(128, 4, 512, { dropout, batchFirst: true })
      const encoder = new nn.TransformerEncoder(layer, 2)
      const head = new nn.Linear(128, 64)
      const parameters = [...embedding.parameters(), ...encoder.parameters(), ...head.parameters()]
      const optimizer = new torch.optim.AdamW(parameters)
      return trainingStep(optimizer, () =>
        nn.functional.crossEntropy(head(encoder(embedding(x))).view(-1, 64), labels.view(-1)),
      )
    },
    pytorch: `
torch.manual_seed(0)
embedding = nn.Embedding(64, 128)
layer = nn.TransformerEncoderLayer(128, 4, 512, ${dropout}, batch_first=True)
encoder = nn.TransformerEncoder(layer, 2)
head = nn.Linear(128, 64)
optimizer = torch.optim.AdamW([*embedding.parameters(), *encoder.parameters(), *head.parameters()])
def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(head(encoder(embedding(x))).view(-1, 64), labels.view(-1))
    loss.backward()
    optimizer.step()
    return loss`,
    compare: { calls: 3 },
  }
}

export const models: readonly Workload[] = [
  cnn,
  lstm,
  transformer('Transformer step', 0),
  transformer('Transformer step, dropout 0.1', 0.1),
]
