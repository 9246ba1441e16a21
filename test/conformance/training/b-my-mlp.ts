// b_my_mlp, b_my_mlp_relu: the lesson's MLP (ModuleList, LazyLinear) on a noisy sine, Adam.

import * as torch from '../../../src/index.ts'
import { copyOf, type RunInput, type RunOutput } from './run.ts'

const { nn, optim } = torch
const F = nn.functional

class My_MLP extends nn.Module {
  list_of_layers = new nn.ModuleList()
  list_of_activations: torch.nn.ModuleList

  constructor(listOfNeurons: number[], listOfActivations: torch.nn.Layer[]) {
    super()
    this.list_of_activations = new nn.ModuleList(listOfActivations)
    let previous: number | null = null
    for (const n of listOfNeurons) {
      this.list_of_layers.append(previous === null ? new nn.LazyLinear(n) : new nn.Linear(previous, n))
      previous = n
    }
  }

  override forward(inputs: torch.Tensor): torch.Tensor {
    const activations = [...this.list_of_activations]
    let outputs = inputs
    for (const [i, layer] of [...this.list_of_layers].entries()) outputs = activations[i](layer(outputs))
    return outputs
  }
}

export async function run({ config, device }: RunInput): Promise<RunOutput> {
  const { n, freq, lr, steps } = config as Record<string, number>
  const activation = () => (config.act === 'Tanh' ? new nn.Tanh() : new nn.ReLU())
  const model = new My_MLP(config.neurons as number[], [activation(), activation(), new nn.Identity()])
  const x = torch.linspace(-1, 1, n).unsqueeze(1).to(device)
  const y = x.mul(freq).sin().add(torch.randn(n, 1).mul(0.1).to(device))
  model.to(device)
  model(x.at(':1'))
  const initial = copyOf(model.stateDict())
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad()
    const loss = F.mseLoss(model(x), y)
    loss.backward()
    optimizer.step()
    losses.push((await loss.itemAsync()) as number)
  }
  return { initial, losses, final: model.stateDict(), evaluation: { y, prediction: model(x).detach() } }
}
