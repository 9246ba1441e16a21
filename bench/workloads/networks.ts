// Fully connected networks: training steps (the result is the loss) and inference. The same seed gives the same weights
// in antorcha and PyTorch; the other libraries are given antorcha's.

import type { Inputs, Jax, Tf, Torch, Workload } from '../workload.ts'

// ---- antorcha -------------------------------------------------------------------------------------------------------

/** The network of the lesson: 46 parameters. */
function lessonModel({ nn, manualSeed }: typeof Torch) {
  manualSeed(0)
  return new nn.Sequential(
    new nn.Linear(1, 5),
    new nn.ReLU(),
    new nn.Linear(5, 5),
    new nn.ReLU(),
    new nn.Linear(5, 1),
  )
}

function mlpModel({ nn, manualSeed }: typeof Torch) {
  manualSeed(0)
  return new nn.Sequential(
    new nn.Linear(784, 512),
    new nn.ReLU(),
    new nn.Linear(512, 512),
    new nn.ReLU(),
    new nn.Linear(512, 10),
  )
}

function trainingStep(optimizer: Torch.optim.Optimizer, loss: () => Torch.Tensor): () => Torch.Tensor {
  return () => {
    optimizer.zeroGrad()
    const value = loss()
    value.backward()
    optimizer.step()
    return value
  }
}

const detached = (state: Map<string, Torch.Tensor>): Inputs<Torch.Tensor> =>
  Object.fromEntries([...state].map(([name, x]) => [name, x.detach()]))

// ---- TensorFlow.js --------------------------------------------------------------------------------------------------

interface Dense {
  readonly kernel: Tf.Tensor2D
  readonly bias: Tf.Tensor1D
}

/** The layers of a state dict, as variables where they are to be trained. */
function denseLayers(tf: typeof Tf, inputs: Inputs<Tf.Tensor>, trainable: boolean): Dense[] {
  const layers: Dense[] = []
  for (let i = 0; `${i}.weight` in inputs; i += 2) {
    const kernel = tf.transpose(inputs[`${i}.weight`]) as Tf.Tensor2D
    const bias = inputs[`${i}.bias`] as Tf.Tensor1D
    layers.push(trainable ? { kernel: tf.variable(kernel), bias: tf.variable(bias) } : { kernel, bias })
  }
  return layers
}

// What tf.layers.dense does.
function denseForward(tf: typeof Tf, layers: readonly Dense[], x: Tf.Tensor): Tf.Tensor2D {
  let y = x as Tf.Tensor2D
  layers.forEach(({ kernel, bias }, i) => {
    const activation = i < layers.length - 1 ? 'relu' : 'linear'
    y = tf.fused.matMul({ a: y, b: kernel, bias, activation }) as Tf.Tensor2D
  })
  return y
}

// ---- jax-js ---------------------------------------------------------------------------------------------------------

type JaxLayers = { weight: Jax.Array; bias: Jax.Array }[]

function jaxLayers(inputs: Inputs<Jax.Array>): JaxLayers {
  const layers: JaxLayers = []
  for (let i = 0; `${i}.weight` in inputs; i += 2)
    layers.push({ weight: inputs[`${i}.weight`].ref, bias: inputs[`${i}.bias`].ref })
  return layers
}

function jaxForward({ numpy, nn }: typeof Jax, layers: JaxLayers, x: Jax.Array): Jax.Array {
  let y = x
  layers.forEach(({ weight, bias }, i) => {
    y = numpy.matmul(y, numpy.transpose(weight)).add(bias)
    if (i < layers.length - 1) y = nn.relu(y)
  })
  return y
}

// ---- the workloads --------------------------------------------------------------------------------------------------

const lesson: Workload = {
  name: 'lesson step, eager',
  target: { pytorch: 0.25, tfjs: 0.1 },
  inputs: (torch) => {
    const x = torch.rand(100, 1)
    return { x, y: x.mul(3).add(1), ...detached(lessonModel(torch).stateDict()) }
  },
  antorcha: (torch, { x, y }) => {
    const model = lessonModel(torch)
    const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.01 })
    return trainingStep(optimizer, () => torch.nn.functional.mseLoss(model(x), y))
  },
  pytorch: `
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 5), nn.ReLU(), nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
def step():
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss`,
  tfjs: (tf, { x, y, ...weights }) => {
    const layers = denseLayers(tf, weights, true)
    const optimizer = tf.train.sgd(0.01)
    return () =>
      optimizer.minimize(() => tf.losses.meanSquaredError(y, denseForward(tf, layers, x)) as Tf.Scalar, true)!
  },
  jax: (jax, { x, y, ...weights }) => {
    const loss = (layers: JaxLayers, x: Jax.Array, y: Jax.Array) =>
      jax.numpy.square(jaxForward(jax, layers, x).sub(y)).mean()
    const update = jax.jit((layers: JaxLayers, x: Jax.Array, y: Jax.Array) => {
      const [value, gradients] = jax.valueAndGrad(loss)(jax.tree.ref(layers), x, y)
      const next = jax.tree.map((w: Jax.Array, g: Jax.Array) => w.sub(g.mul(0.01)), layers, gradients)
      return { value, layers: next as JaxLayers }
    })
    let layers = jaxLayers(weights)
    return () => {
      const after = update(layers, x.ref, y.ref)
      layers = after.layers
      return after.value
    }
  },
  compare: { calls: 3 },
}

const mlp: Workload = {
  name: 'MLP step',
  target: { pytorch: 0.7, tfjs: 0.12 },
  inputs: (torch) => ({
    x: torch.rand(64, 784),
    labels: torch.randint(0, 10, [64]),
    ...detached(mlpModel(torch).stateDict()),
  }),
  antorcha: (torch, { x, labels }) => {
    const model = mlpModel(torch)
    const optimizer = new torch.optim.Adam(model.parameters())
    return trainingStep(optimizer, () => torch.nn.functional.crossEntropy(model(x), labels))
  },
  pytorch: `
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
optimizer = torch.optim.Adam(model.parameters())
def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), labels)
    loss.backward()
    optimizer.step()
    return loss`,
  tfjs: (tf, { x, labels, ...weights }) => {
    const layers = denseLayers(tf, weights, true)
    const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8)
    const goal = tf.oneHot(labels as Tf.Tensor1D, 10)
    return () =>
      optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(goal, denseForward(tf, layers, x)) as Tf.Scalar,
        true,
      )!
  },
  jax: (jax, { x, labels, ...weights }) => {
    const { numpy, nn, tree } = jax
    const goal = nn.oneHot(labels.ref, 10)
    const loss = (layers: JaxLayers, x: Jax.Array, goal: Jax.Array) =>
      nn
        .logSoftmax(jaxForward(jax, layers, x), 1)
        .mul(goal)
        .sum(1)
        .mean()
        .mul(-1)
    type Training = { layers: JaxLayers; mean: JaxLayers; square: JaxLayers; decay: Jax.Array[] }
    // Adam. `decay` holds beta1 and beta2 to the power of the step.
    const update = jax.jit(({ layers, mean, square, decay }: Training, x: Jax.Array, goal: Jax.Array) => {
      const [value, g] = jax.valueAndGrad(loss)(tree.ref(layers), x, goal)
      const [d1, d2] = [decay[0].mul(0.9), decay[1].mul(0.999)]
      const m = tree.map(
        (m: Jax.Array, g: Jax.Array) => m.mul(0.9).add(g.mul(0.1)),
        mean,
        tree.ref(g),
      ) as JaxLayers
      const s = tree.map(
        (s: Jax.Array, g: Jax.Array) => s.mul(0.999).add(numpy.square(g).mul(0.001)),
        square,
        g,
      ) as JaxLayers
      const next = tree.map(
        (w: Jax.Array, m: Jax.Array, s: Jax.Array) => {
          const rate = numpy.trueDivide(1e-3, numpy.subtract(1, d1.ref))
          const root = numpy.sqrt(s.div(numpy.subtract(1, d2.ref))).add(1e-8)
          return w.sub(m.mul(rate).div(root))
        },
        layers,
        tree.ref(m),
        tree.ref(s),
      ) as JaxLayers
      return { value, training: { layers: next, mean: m, square: s, decay: [d1, d2] } }
    })
    const layers = jaxLayers(weights)
    const zeros = () => tree.map((w: Jax.Array) => numpy.zerosLike(w), tree.ref(layers)) as JaxLayers
    let training: Training = {
      layers,
      mean: zeros(),
      square: zeros(),
      decay: [numpy.array(1), numpy.array(1)],
    }
    return () => {
      const after = update(training, x.ref, goal.ref)
      training = after.training
      return after.value
    }
  },
  compare: { calls: 3 },
}

const inference: Workload = {
  name: 'MLP inference, batch 1',
  target: { pytorch: 0.3 },
  inputs: (torch) => ({ x: torch.rand(1, 784), ...detached(mlpModel(torch).stateDict()) }),
  antorcha: (torch, { x }) => {
    const model = mlpModel(torch)
    model.eval()
    return () => torch.inferenceMode(() => model(x))
  },
  pytorch: `
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
model.eval()
def step():
    with torch.inference_mode():
        return model(x)`,
  tfjs: (tf, { x, ...weights }) => {
    const layers = denseLayers(tf, weights, false)
    return () => tf.tidy(() => denseForward(tf, layers, x))
  },
  jax: (jax, { x, ...weights }) => {
    const layers = jaxLayers(weights)
    const run = jax.jit((layers: JaxLayers, x: Jax.Array) => jaxForward(jax, layers, x))
    return () => run(jax.tree.ref(layers), x.ref)
  },
}

export const networks: readonly Workload[] = [lesson, mlp, inference]
export { detached, mlp, trainingStep }
