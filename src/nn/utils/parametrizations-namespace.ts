// What torch.nn.utils.parametrizations shows of parametrizations.ts.

export {
  type OrthogonalMap,
  type OrthogonalOptions,
  orthogonal,
  type SpectralNormOptions,
  spectralNorm,
  type WeightNormOptions,
  weightNorm,
} from './parametrizations.ts'
