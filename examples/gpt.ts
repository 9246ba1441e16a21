// A tiny GPT: a transformer that predicts the next character of this project's documentation.
// `npx tsx examples/gpt.ts [steps] [--device webgpu]`

import * as torch from '../src/index.ts'
import { loadText, randomWindows } from './datasets.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch
const F = nn.functional

const { count: steps, device } = await readShortOptions(300)
const context = 64
const width = 64
const heads = 4
const layers = 2
torch.manualSeed(0)
const text = loadText()

class Block extends nn.Module {
  norm1 = new nn.LayerNorm(width)
  qkv = new nn.Linear(width, 3 * width)
  projection = new nn.Linear(width, width)
  norm2 = new nn.LayerNorm(width)
  mlp = new nn.Sequential(new nn.Linear(width, 4 * width), new nn.GELU(), new nn.Linear(4 * width, width))

  override forward(x: torch.Tensor): torch.Tensor {
    const [batch, length] = x.shape
    // [batch, length, 3 * width] to three times [batch, heads, length, width / heads]
    const [q, k, v] = this.qkv(this.norm1(x))
      .view(batch, length, 3, heads, width / heads)
      .permute(2, 0, 3, 1, 4)
      .unbind(0)
    const attended = F.scaledDotProductAttention(q, k, v, { isCausal: true })
    const y = x.add(this.projection(attended.transpose(1, 2).reshape(batch, length, width)))
    return y.add(this.mlp(this.norm2(y)))
  }
}

class GPT extends nn.Module {
  tokens = new nn.Embedding(text.characters.length, width)
  positions = new nn.Embedding(context, width)
  blocks = new nn.Sequential(...Array.from({ length: layers }, () => new Block()))
  norm = new nn.LayerNorm(width)
  head = new nn.Linear(width, text.characters.length, { bias: false })

  override forward(tokens: torch.Tensor): torch.Tensor {
    const positions = torch.arange(tokens.size(1), { device: tokens.device })
    return this.head(this.norm(this.blocks(this.tokens(tokens).add(this.positions(positions)))))
  }
}

const model = new GPT().to(device)
const optimizer = new optim.AdamW(model.parameters(), { lr: 3e-3 })

for (let step = 1; step <= steps; step++) {
  const [x, y] = randomWindows(text.tokens, 16, context)
  optimizer.zeroGrad()
  const loss = F.crossEntropy(model(x.to(device)).flatten(0, 1), y.to(device).flatten())
  loss.backward()
  optimizer.step()
  const value = (await loss.itemAsync()) as number
  if (step % 50 === 0 || step === steps) console.log(`step ${step}: loss ${value.toFixed(3)}`)
}

model.eval()
torch.setGradEnabled(false)
let tokens = text.encode('The ').unsqueeze(0)
// What has learned little has little to say.
for (let i = 0; i < Math.min(200, steps); i++) {
  const logits = model(tokens.at(':', `-${context}:`).to(device)).at(0, -1)
  const next = torch.multinomial(await logits.div(0.7).softmax(-1).cpu(), 1)
  tokens = torch.cat([tokens, next.unsqueeze(0)], 1)
}
console.log(`\n${text.decode(tokens)}`)
