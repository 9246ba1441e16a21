// Types under test: a Sequential whose layers do not fit does not compile, and says why. `npm run types` checks this
// file; the unit test types.test.ts checks the compiler's message.

import { nn, type Tensor } from '../../src/index.ts'
import type { Fitting } from '../../src/nn/sequential-types.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const isTrue = <T extends true>(value: T): T => value

// ---- layers that fit

export const mlp = new nn.Sequential(new nn.Linear(1, 10), new nn.ReLU(), new nn.Linear(10, 1))
export const images = new nn.Sequential(
  new nn.Conv2d(1, 8, 3, { padding: 1 }),
  new nn.BatchNorm2d(8),
  new nn.ReLU(),
  new nn.MaxPool2d(2),
  new nn.Conv2d(8, 16, 3),
  new nn.Flatten(),
  new nn.Linear(64, 10),
)
export const lazy = new nn.Sequential(
  new nn.LazyLinear(3),
  new nn.Dropout(0.5),
  new nn.Linear(3, 2),
  new nn.LazyLinear(1),
)
export const named = new nn.Sequential(new Map([['a', new nn.Linear(1, 2)]]))
export const empty = new nn.Sequential()
const width: number = 4
export const unknownWidth = new nn.Sequential(new nn.Linear(3, width), new nn.Linear(5, 6))
const layers: nn.Layer[] = [new nn.Linear(1, 2)]
export const spread = new nn.Sequential(...layers)
export const nested = new nn.Sequential(
  new nn.Linear(1, 2),
  new nn.Sequential(new nn.Linear(7, 3)),
  new nn.Linear(9, 9),
)

class Custom extends nn.Module {
  override forward(x: Tensor): Tensor {
    return x
  }
}
export const through = new nn.Sequential(new nn.Linear(1, 2), new Custom(), new nn.Linear(3, 4))

// ---- layers that do not

// @ts-expect-error layer 2 expects 5 input features but the layer before it outputs 10
export const wrongWidth = new nn.Sequential(new nn.Linear(1, 10), new nn.ReLU(), new nn.Linear(5, 1))
// @ts-expect-error layer 1 expects 9 input channels but the layer before it outputs 8
export const wrongChannels = new nn.Sequential(new nn.Conv2d(1, 8, 3), new nn.BatchNorm2d(9))
const conv = new nn.Conv1d(1, 8, 3)
const pool = new nn.MaxPool1d(2)
// @ts-expect-error layer 2 expects 4 input channels but the layer before it outputs 8
export const wrongAfterPooling = new nn.Sequential(conv, pool, new nn.Conv1d(4, 4, 3))
// @ts-expect-error layer 1 expects 4 input features but the layer before it outputs 3
export const wrongAfterLazy = new nn.Sequential(new nn.LazyLinear(3), new nn.Linear(4, 1))
// @ts-expect-error a number is no layer
export const noLayer = new nn.Sequential(new nn.Linear(1, 2), 3)

type Message = Fitting<[nn.Linear<1, 10>, nn.ReLU, nn.Linear<5, 1>]>[2]
isTrue<Equal<Message, 'layer 2 expects 5 input features but the layer before it outputs 10'>>(true)

// ---- calls have the types of forward

class Pair extends nn.Module {
  fc = new nn.Linear(512, 1000)
  override forward(x: Tensor, scale: number): [Tensor, number] {
    return [this.fc(x), scale]
  }
}
export const pair = new Pair()
export const call = (x: Tensor): [Tensor, number] => pair(x, 2)
// @ts-expect-error forward wants a number too
export const tooFew = (x: Tensor) => pair(x)
// @ts-expect-error a Linear takes tensors
export const wrongArgument = () => pair.fc(3)

// A layer of another width may take the place of one, a Sequential of other layers too.
pair.fc = new nn.Linear(512, 10)
class Holder extends nn.Module {
  net: nn.Sequential = mlp
  inferred = new nn.Sequential(new nn.Linear(1, 2))
}
const holder = new Holder()
holder.net = images
holder.inferred = new nn.Sequential(new nn.Linear(1, 3), new nn.ReLU())
holder.net[0] = new nn.Linear(2, 2)

// ---- parameters and options

export const assign = (x: Tensor): void => {
  // @ts-expect-error a tensor is no parameter
  pair.fc.weight = x
}
// @ts-expect-error there is no option `strides`
export const wrongOption = new nn.Conv2d(1, 2, 3, { strides: 2 })
