// A million float32 elements: arithmetic, reductions, mathematical functions, order. And the smallest op of all.

import type { Jax, Tf, Torch, Workload } from '../workload.ts'

interface Forms {
  readonly antorcha: (torch: typeof Torch, x: Torch.Tensor, y: Torch.Tensor) => Torch.Tensor
  readonly pytorch: string
  readonly tfjs?: (tf: typeof Tf, x: Tf.Tensor, y: Tf.Tensor) => Tf.Tensor
  readonly jax?: (jax: typeof Jax, x: Jax.Array, y: Jax.Array) => Jax.Array
}

const arithmetic = { pytorch: 1.1, tfjs: 1 }
const functions = { pytorch: 0.9, tfjs: 0.1 }

/** An expression of `x` and `y`, 1000 x 1000 numbers each; those of `y` are positive. */
function matrix(name: string, target: Workload['target'], forms: Forms, tolerance?: number): Workload {
  const { antorcha, pytorch, tfjs, jax } = forms
  return {
    name,
    target,
    inputs: (torch) => ({ x: torch.randn(1000, 1000), y: torch.rand(1000, 1000).add(0.01) }),
    antorcha: (torch, { x, y }) => {
      return () => antorcha(torch, x, y)
    },
    pytorch: `def step(): return ${pytorch}`,
    tfjs:
      tfjs &&
      ((tf, { x, y }) =>
        () =>
          tfjs(tf, x, y)),
    jax:
      jax &&
      ((library, { x, y }) =>
        () =>
          jax(library, x, y)),
    compare: { tolerance },
  }
}

// TensorFlow.js and jax-js add one number after the other in float32.
const naiveSum = 1e-4

const arithmetics = [
  matrix('add 1M', arithmetic, {
    antorcha: (_, x, y) => x.add(y),
    pytorch: 'x + y',
    tfjs: (tf, x, y) => tf.add(x, y),
    jax: (_, x, y) => x.ref.add(y.ref),
  }),
  matrix('mul 1M', arithmetic, {
    antorcha: (_, x, y) => x.mul(y),
    pytorch: 'x * y',
    tfjs: (tf, x, y) => tf.mul(x, y),
    jax: (_, x, y) => x.ref.mul(y.ref),
  }),
  matrix('div 1M', arithmetic, {
    antorcha: (_, x, y) => x.div(y),
    pytorch: 'x / y',
    tfjs: (tf, x, y) => tf.div(x, y),
    jax: (_, x, y) => x.ref.div(y.ref),
  }),
  matrix('relu 1M', arithmetic, {
    antorcha: (torch, x) => torch.relu(x),
    pytorch: 'torch.relu(x)',
    tfjs: (tf, x) => tf.relu(x),
    jax: ({ nn }, x) => nn.relu(x.ref),
  }),
  matrix(
    'sum 1M',
    arithmetic,
    {
      antorcha: (_, __, y) => y.sum(),
      pytorch: 'y.sum()',
      tfjs: (tf, _, y) => tf.sum(y),
      jax: (_, __, y) => y.ref.sum(),
    },
    naiveSum,
  ),
  matrix(
    'sum(0) 1000x1000',
    arithmetic,
    {
      antorcha: (_, __, y) => y.sum(0),
      pytorch: 'y.sum(0)',
      tfjs: (tf, _, y) => tf.sum(y, 0),
      jax: (_, __, y) => y.ref.sum(0),
    },
    naiveSum,
  ),
  matrix('transpose copy 1000x1000', arithmetic, {
    antorcha: (_, x) => x.t().contiguous(),
    pytorch: 'x.t().contiguous()',
    tfjs: (tf, x) => tf.transpose(x),
    jax: ({ numpy }, x) => numpy.transpose(x.ref),
  }),
]

const mathematics = [
  matrix('exp 1M', functions, {
    antorcha: (_, x) => x.exp(),
    pytorch: 'x.exp()',
    tfjs: (tf, x) => tf.exp(x),
    jax: ({ numpy }, x) => numpy.exp(x.ref),
  }),
  matrix('log 1M', functions, {
    antorcha: (_, __, y) => y.log(),
    pytorch: 'y.log()',
    tfjs: (tf, _, y) => tf.log(y),
    jax: ({ numpy }, _, y) => numpy.log(y.ref),
  }),
  matrix('tanh 1M', functions, {
    antorcha: (_, x) => x.tanh(),
    pytorch: 'x.tanh()',
    tfjs: (tf, x) => tf.tanh(x),
    jax: ({ numpy }, x) => numpy.tanh(x.ref),
  }),
  matrix('sigmoid 1M', functions, {
    antorcha: (_, x) => x.sigmoid(),
    pytorch: 'x.sigmoid()',
    tfjs: (tf, x) => tf.sigmoid(x),
    jax: ({ nn }, x) => nn.sigmoid(x.ref),
  }),
  matrix('gelu 1M', functions, {
    antorcha: ({ nn }, x) => nn.functional.gelu(x),
    pytorch: 'F.gelu(x)',
    // TensorFlow.js has no gelu: its users write the formula.
    tfjs: (tf, x) => tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))),
    jax: ({ nn }, x) => nn.gelu(x.ref, { approximate: false }),
  }),
  matrix('softmax 1000x1000', functions, {
    antorcha: (_, x) => x.softmax(1),
    pytorch: 'x.softmax(1)',
    tfjs: (tf, x) => tf.softmax(x, 1),
    jax: ({ nn }, x) => nn.softmax(x.ref, 1),
  }),
  matrix('layer norm 1000x1000', functions, {
    antorcha: ({ nn }, x) => nn.functional.layerNorm(x, [1000]),
    pytorch: 'F.layer_norm(x, [1000])',
    tfjs: (tf, x) =>
      tf.tidy(() => {
        const { mean, variance } = tf.moments(x, 1, true)
        return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5)))
      }),
    jax: ({ nn }, x) => nn.standardize(x.ref, 1, { epsilon: 1e-5 }),
  }),
]

const order: Workload[] = [
  matrix(
    'sort 1M',
    { pytorch: 0.3 },
    {
      antorcha: (_, x) => x.view(-1).sort()[0],
      pytorch: 'x.view(-1).sort()[0]',
      jax: ({ numpy }, x) => numpy.sort(x.ref.reshape([-1])),
    },
  ),
  matrix(
    'argmax(1) 1000x1000',
    { pytorch: 0.9 },
    {
      antorcha: (_, x) => x.argmax(1),
      pytorch: 'x.argmax(1)',
      tfjs: (tf, x) => tf.argMax(x, 1),
      jax: ({ numpy }, x) => numpy.argmax(x.ref, 1),
    },
  ),
  matrix(
    'cumsum 1M',
    { pytorch: 1 },
    {
      antorcha: (_, __, y) => y.view(-1).cumsum(0),
      pytorch: 'y.view(-1).cumsum(0)',
      tfjs: (tf, _, y) => tf.tidy(() => tf.cumsum(tf.reshape(y, [-1]))),
      jax: ({ numpy }, _, y) => numpy.cumsum(y.ref.reshape([-1])),
    },
    1e-4,
  ),
]

const tiny: Workload = {
  name: 'tiny add (4 elements)',
  target: { pytorch: 1, tfjs: 0.3 },
  inputs: (torch) => ({ x: torch.randn(4), y: torch.randn(4) }),
  antorcha: (_, { x, y }) => {
    return () => x.add(y)
  },
  pytorch: 'def step(): return x + y',
  tfjs: (tf, { x, y }) => {
    return () => tf.add(x, y)
  },
  jax: (_, { x, y }) => {
    return () => x.ref.add(y.ref)
  },
}

export const elementwise: readonly Workload[] = [...arithmetics, ...mathematics, ...order, tiny]
