// Every distribution that PyTorch's CPU generator draws, in one place to import from. Each function takes a
// Generator, draws in the order of memory and returns a typed array; none knows tensors.

export type { FloatSamples, Samples } from './checks.ts'
export {
  cauchy,
  exponential,
  gumbel,
  logNormal,
  normal,
  normalFrom,
  truncNormal,
  uniform,
} from './continuous.ts'
export {
  bernoulli,
  bernoulliFrom,
  dropoutNoise,
  geometric,
  type MultinomialOptions,
  multinomial,
  poisson,
  rreluSlopes,
} from './discrete.ts'
export { permutation, randint, randomIntegers, randperm } from './integers.ts'
