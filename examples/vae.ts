// A variational autoencoder (Kingma and Welling, 2013) of handwritten digits: squeezes each image into four numbers, and
// draws new digits from random ones.
// `npx tsx examples/vae.ts [epochs] [--device webgpu]`

import * as torch from '../src/index.ts'
import { loadDigits } from './datasets.ts'
import { readShortOptions } from './terminal.ts'

const { nn, optim } = torch
const F = nn.functional
const { DataLoader, TensorDataset } = torch.utils.data

const { count: epochs, device } = await readShortOptions(30)
const latent = 4
torch.manualSeed(0)

class VAE extends nn.Module {
  encoder = new nn.Sequential(new nn.Linear(64, 64), new nn.ReLU())
  mean = new nn.Linear(64, latent)
  logVariance = new nn.Linear(64, latent)
  decoder = new nn.Sequential(
    new nn.Linear(latent, 64),
    new nn.ReLU(),
    new nn.Linear(64, 64),
    new nn.Sigmoid(),
  )

  override forward(x: torch.Tensor) {
    const hidden = this.encoder(x)
    const mean = this.mean(hidden)
    const logVariance = this.logVariance(hidden)
    // A random point around the mean, written so that gradients reach mean and variance.
    const z = mean.add(torch.randnLike(mean).mul(logVariance.mul(0.5).exp()))
    return { image: this.decoder(z), mean, logVariance }
  }
}

const [images] = loadDigits()
const loader = new DataLoader(new TensorDataset(images.flatten(1)), { batchSize: 64, shuffle: true })
const model = new VAE().to(device)
const optimizer = new optim.Adam(model.parameters(), { lr: 2e-3 })

for (let epoch = 1; epoch <= epochs; epoch++) {
  let total = 0
  for (const [batch] of loader) {
    const x = batch.to(device)
    const { image, mean, logVariance } = model(x)
    const reconstruction = F.binaryCrossEntropy(image, x, { reduction: 'sum' })
    const divergence = mean.pow(2).add(logVariance.exp()).sub(logVariance).sub(1).sum().mul(0.5)
    const loss = reconstruction.add(divergence).div(x.size(0))
    optimizer.zeroGrad()
    loss.backward()
    optimizer.step()
    total += (await loss.itemAsync()) as number
  }
  if (epoch % 5 === 0 || epoch === epochs)
    console.log(`epoch ${epoch}: loss ${(total / loader.length).toFixed(2)}`)
}

/** Eight images side by side, dark to bright. */
function draw(pixels: torch.Tensor): string {
  const rows = pixels.view(8, 8, 8).permute(1, 0, 2).reshape(8, 64).tolist() as number[][]
  return rows
    .map((row) =>
      row
        .map((value, i) => (i % 8 === 0 ? '  ' : '') + ' .:-=+*#%@'[Math.min(9, Math.floor(10 * value))])
        .join(''),
    )
    .join('\n')
}

console.log('\nDigits that nobody wrote:')
console.log(draw(await torch.noGrad(() => model.decoder(torch.randn(8, latent, { device }))).cpu()))
