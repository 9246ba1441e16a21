// a_line: the lesson's line on y = 2x + 1, SGD.

import * as torch from '../../../src/index.ts'
import { copyOf, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch

class Line_2D_Model_PyTorch extends nn.Module {
  m = new nn.Parameter(torch.rand(1))
  b = new nn.Parameter(torch.tensor(0).to(torch.getDefaultDtype()))

  override forward(x: torch.Tensor): torch.Tensor {
    return this.m.mul(x).add(this.b)
  }
}

export async function run({ config, device }: RunInput): Promise<RunOutput> {
  const { n, div, lr, momentum, steps } = config as Record<string, number>
  const model = new Line_2D_Model_PyTorch().to(device)
  const x = torch.arange(n).to(torch.getDefaultDtype()).div(div).sub(1).to(device)
  const y = x.mul(2).add(1)
  const initial = copyOf(model.stateDict())
  const optimizer = new optim.SGD(model.parameters(), { lr, momentum })
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad()
    const loss = model(x).sub(y).pow(2).mean()
    loss.backward()
    optimizer.step()
    losses.push((await loss.itemAsync()) as number)
  }
  const prediction = model(torch.tensor([10], { dtype: torch.getDefaultDtype(), device })).detach()
  return { initial, losses, final: model.stateDict(), evaluation: { prediction } }
}
