// Writing and reading a checkpoint of 256 MB: 16 float32 tensors of 2048 x 2048.

import type { Torch, Workload } from '../workload.ts'

const names = Array.from({ length: 16 }, (_, i) => `layer${i}`)
const fileOf = (library: string): string => `${process.env.ANTORCHA_BENCH_FILES}/${library}.pt`

const state = (seed: Torch.Tensor): Record<string, Torch.Tensor> =>
  Object.fromEntries(names.map((name, i) => [name, seed.add(i)]))

const python = `
import os
path = os.path.join(os.environ['ANTORCHA_BENCH_FILES'], 'pytorch.pt')
state = {f'layer{i}': x + i for i in range(16)}
`

export const checkpoints: readonly Workload[] = [
  {
    name: 'save 256 MB',
    kind: 'once',
    inputs: (torch) => ({ x: torch.randn(2048, 2048) }),
    antorcha: (torch, { x }) => {
      const tensors = state(x)
      return () => {
        torch.save(tensors, fileOf('antorcha'))
        return tensors.layer15
      }
    },
    pytorch: `${python}
def step():
    torch.save(state, path)
    return state['layer15']`,
  },
  {
    name: 'load 256 MB',
    kind: 'once',
    inputs: (torch) => ({ x: torch.randn(2048, 2048) }),
    antorcha: (torch, { x }) => {
      torch.save(state(x), fileOf('antorcha'))
      return () => torch.load<Map<string, Torch.Tensor>>(fileOf('antorcha')).get('layer15')!
    },
    pytorch: `${python}
torch.save(state, path)
del state
def step():
    return torch.load(path)['layer15']`,
  },
]
