// The cells of the lesson on torch.nn.Module, one after the other, as a notebook would run them. `npm run lesson` walks
// through them with words in between; the conformance runner compares what they print with PyTorch's own output.

import { join } from 'node:path'
import { pyFloat, pyRepr } from '../src/core/python.ts'
import * as torch from '../src/index.ts'

const { nn } = torch

/** What a cell needs of whoever runs it. */
export interface LessonContext {
  /** A folder for the checkpoint that the lesson writes. */
  readonly directory: string
}

/** One cell; `cell` is its number in the notebook. */
export interface LessonCell {
  readonly cell: number
  /** Runs the cell. Returns the value of its last expression where the notebook shows one. */
  run(context: LessonContext): unknown
}

/** What running a cell gave: the printed text, the result as Python would show it, the error. */
export interface CellOutcome {
  readonly stdout: string
  readonly result: string | null
  readonly error: { readonly type: string; readonly message: string } | null
}

// What the running cell has printed. A forward defined in one cell prints in a later one, as in a notebook.
let printed: (string | Promise<string>)[] = []

/** Python's `print` of one value: strings as they are, everything else as it prints itself. */
function print(value: unknown): void {
  printed.push(typeof value === 'string' ? value : textOf(value))
}

/** A value as it prints itself now; a promise of it where tensors are on a device whose values must be waited for. */
function textOf(value: unknown): string | Promise<string> {
  if (torch.getDefaultDevice().type === 'cpu') return pyRepr(value)
  if (value instanceof torch.Tensor) return value.toStringAsync()
  if (value instanceof nn.Module) return copyOnCpu(value).then(pyRepr)
  if (Array.isArray(value) && value.some((item) => item instanceof torch.Tensor))
    return Promise.all(value.map(textOf)).then((texts) => pyRepr(texts.map(asIs)))
  if (value instanceof Map) {
    const texts = Promise.all(
      [...value].map(async ([name, item]) => [name, asIs(await textOf(item))] as const),
    )
    return texts.then((entries) => `OrderedDict(${pyRepr(new Map(entries))})`)
  }
  return pyRepr(value)
}

const copyOnCpu = async (module: torch.nn.Module) => torch.deepcopy(module).cpu()
const asIs = (text: string) => ({ repr: () => text })

/** Everything that the running cell has printed. */
async function stdout(): Promise<string> {
  return (await Promise.all(printed)).map((text) => `${text}\n`).join('')
}

/** Runs one cell and keeps what it prints. The cells share variables and belong in order. */
export async function runCell(cell: LessonCell, directory: string): Promise<CellOutcome> {
  printed = []
  try {
    const result = await cell.run({ directory })
    const shown = result === undefined ? null : await textOf(result)
    return { stdout: await stdout(), result: shown, error: null }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { stdout: await stdout(), result: null, error: { type: error.name, message: error.message } }
  }
}

// The notebook's variables, which one cell leaves to the next.
type Layer = torch.nn.Layer
interface MLP extends torch.nn.Module {
  (inputs: torch.Tensor): torch.Tensor
}
let Line_2D_Model_PyTorch: new () => torch.nn.Module & ((x: torch.Tensor | number) => torch.Tensor)
let My_MLP: new (listOfNeurons: number[], listOfActivations: Layer[]) => MLP
let listOfNeurons: number[]
let listOfActivations: Layer[]
let mlp: MLP
let mlp2: MLP
let workpath: string

/** The number of all elements of the parameters, as a tensor. */
function countParameters(model: torch.nn.Module): torch.Tensor {
  return torch.tensor([...model.parameters()].map((p) => p.numel())).sum()
}

export const lessonCells: readonly LessonCell[] = [
  {
    cell: 146,
    run() {
      // import * as torch from 'antorcha'
      // const { nn } = torch
    },
  },
  {
    cell: 147,
    run() {
      Line_2D_Model_PyTorch = class Line_2D_Model_PyTorch extends nn.Module {
        m = new nn.Parameter(torch.rand(1))
        b = new nn.Parameter(torch.tensor(0).float())

        override forward(x: torch.Tensor | number): torch.Tensor {
          return this.m.mul(x).add(this.b)
        }

        override extraRepr(): string {
          const [m, b] = [this.m, this.b].map((p) => pyFloat(p.clone().detach().item() as number))
          return `inclinación=${m}, ordenada en el origen=${b}`
        }
      }
    },
  },
  {
    cell: 148,
    run() {
      torch.manualSeed(0)
      const line2dModel = new Line_2D_Model_PyTorch()
      print(line2dModel)
      print([...line2dModel.parameters()])
      const x = 10
      print(line2dModel(x))
    },
  },
  {
    cell: 149,
    run() {
      // The layers lie in a plain array, where no module looks for them.
      My_MLP = class My_MLP extends nn.Module {
        list_of_layers: Layer[] = []
        list_of_activations: Layer[]

        constructor(listOfNeurons: number[], listOfActivations: Layer[]) {
          super()
          this.list_of_activations = listOfActivations
          let previousN: number | null = null
          for (const n of listOfNeurons) {
            this.list_of_layers.push(previousN === null ? new nn.LazyLinear(n) : new nn.Linear(previousN, n))
            previousN = n
          }
        }

        override forward(inputs: torch.Tensor): torch.Tensor {
          let outputs = inputs
          for (const [i, layer] of this.list_of_layers.entries())
            outputs = this.list_of_activations[i](layer(outputs))
          return outputs
        }

        override extraRepr(): string {
          return `[${pyRepr([...this.parameters()])}]`
        }
      }
    },
  },
  {
    cell: 150,
    run() {
      torch.manualSeed(0)
      listOfNeurons = [3, 5, 1]
      listOfActivations = Array<Layer>(3).fill(new nn.ReLU())
      mlp = new My_MLP(listOfNeurons, listOfActivations)
      print(listOfNeurons)
      print(listOfActivations)
      print(mlp)
    },
  },
  {
    cell: 151,
    run() {
      // Every layer a field of its own.
      My_MLP = class My_MLP extends nn.Module {
        layer1: Layer
        layer2: Layer
        layer3: Layer
        activation1: Layer
        activation2: Layer
        activation3: Layer

        constructor(listOfNeurons: number[], listOfActivations: Layer[]) {
          super()
          this.layer1 = new nn.LazyLinear(listOfNeurons[0])
          this.layer2 = new nn.Linear(listOfNeurons[0], listOfNeurons[1])
          this.layer3 = new nn.Linear(listOfNeurons[1], listOfNeurons[2])
          this.activation1 = listOfActivations[0]
          this.activation2 = listOfActivations[1]
          this.activation3 = listOfActivations[2]
        }

        override forward(inputs: torch.Tensor): torch.Tensor {
          let outputs = this.activation1(this.layer1(inputs))
          outputs = this.activation2(this.layer2(outputs))
          outputs = this.activation3(this.layer3(outputs))
          return outputs
        }

        override extraRepr(): string {
          return `[${pyRepr([...this.parameters()])}]`
        }
      }
    },
  },
  {
    cell: 152,
    run() {
      torch.manualSeed(0)
      listOfNeurons = [3, 5, 1]
      listOfActivations = Array<Layer>(3).fill(new nn.ReLU())
      mlp = new My_MLP(listOfNeurons, listOfActivations)
      print(listOfNeurons)
      print(listOfActivations)
      print(mlp)
    },
  },
  {
    cell: 153,
    run() {
      // A list of layers that the module knows: nn.ModuleList.
      My_MLP = class My_MLP extends nn.Module {
        list_of_layers = new nn.ModuleList<Layer>()
        list_of_activations: torch.nn.ModuleList<Layer>

        constructor(listOfNeurons: number[], listOfActivations: Layer[]) {
          super()
          this.list_of_activations = new nn.ModuleList(listOfActivations)
          let previousN: number | null = null
          for (const n of listOfNeurons) {
            this.list_of_layers.append(
              previousN === null ? new nn.LazyLinear(n) : new nn.Linear(previousN, n),
            )
            previousN = n
          }
        }

        override forward(inputs: torch.Tensor): torch.Tensor {
          print(inputs.shape)
          const activations = [...this.list_of_activations]
          let outputs = inputs
          for (const [i, layer] of [...this.list_of_layers].entries())
            outputs = activations[i](layer(outputs))
          return outputs
        }
      }
    },
  },
  {
    cell: 154,
    run() {
      torch.manualSeed(0)
      listOfNeurons = [3, 5, 1]
      listOfActivations = Array<Layer>(3).fill(new nn.ReLU())
      mlp = new My_MLP(listOfNeurons, listOfActivations)
      print(listOfNeurons)
      print(listOfActivations)
      print(mlp)
    },
  },
  {
    cell: 155,
    run() {
      mlp(torch.tensor([[10]]).float())
    },
  },
  {
    cell: 156,
    run() {
      print(mlp)
    },
  },
  {
    cell: 157,
    run() {
      print(mlp.stateDict())
    },
  },
  {
    cell: 158,
    run({ directory }) {
      workpath = directory
    },
  },
  {
    cell: 159,
    async run() {
      await torch.saveAsync(mlp.stateDict(), join(workpath, 'mlp.pt'))
      torch.manualSeed(0)
      mlp2 = new My_MLP(listOfNeurons, listOfActivations)
      return mlp2.loadStateDict(torch.load(join(workpath, 'mlp.pt'), { weightsOnly: true }))
    },
  },
  {
    cell: 160,
    run() {
      print(mlp)
      print(mlp.stateDict())
      print(mlp2)
      print(mlp2.stateDict())
    },
  },
  {
    cell: 161,
    run() {
      mlp2(torch.tensor([[10, 10]]).float())
    },
  },
  {
    cell: 162,
    run() {
      torch.manualSeed(0)
      mlp2 = new My_MLP(listOfNeurons, listOfActivations)
      return mlp2.loadStateDict(torch.load(join(workpath, 'mlp.pt'), { weightsOnly: true }))
    },
  },
  {
    cell: 163,
    run() {
      mlp2(torch.tensor([[10]]).float())
    },
  },
  {
    cell: 164,
    run() {
      print(mlp)
    },
  },
  {
    cell: 165,
    run() {
      torch.manualSeed(0)
      let model: torch.nn.Module = new nn.Sequential(new nn.Linear(1, 10), new nn.Linear(10, 1))
      print(countParameters(model))

      torch.manualSeed(0)
      model = new nn.Sequential(new nn.Linear(1, 5), new nn.Linear(5, 5), new nn.Linear(5, 1))
      print(countParameters(model))
    },
  },
  {
    cell: 166,
    run() {
      torch.manualSeed(0)
      let model: torch.nn.Module = new nn.Sequential(new nn.Linear(10, 10), new nn.Linear(10, 1))
      print(countParameters(model))

      torch.manualSeed(0)
      model = new nn.Sequential(new nn.Linear(10, 5), new nn.Linear(5, 5), new nn.Linear(5, 1))
      print(countParameters(model))
    },
  },
]
