// Images read at any places: gridSample, and affineGrid, which makes the places of an affine map.

import { NotImplementedError, RuntimeError, ValueError } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { linspace } from './creation.ts'
import { stack } from './joining.ts'
import { bmm } from './matmul.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { recomputedOp } from './recomputed.ts'
import { expand, reshape, select, unsqueeze, view } from './views.ts'

/** How values between the image's elements are found. */
export type SampleMode = 'bilinear' | 'nearest' | 'bicubic'
/** What an image is beyond its border. */
export type SamplePadding = 'zeros' | 'border' | 'reflection'

interface SampleAttributes {
  readonly mode: SampleMode
  readonly padding: SamplePadding
  readonly alignCorners: boolean
}

// From [-1, 1] to positions of elements.
const positionOf = (coordinate: Tensor, n: number, alignCorners: boolean): Tensor =>
  alignCorners ? coordinate.add(1).mul((n - 1) / 2) : coordinate.add(1).mul(n).sub(1).div(2)

// Beyond the border the gradient is 0, on it as well.
function clip(x: Tensor, n: number): Tensor {
  const inside = x.gt(0).logicalAnd(x.lt(n - 1))
  return x.where(inside, x.detach().clamp(0, n - 1))
}

function reflect(x: Tensor, n: number, alignCorners: boolean): Tensor {
  const low = alignCorners ? 0 : -0.5
  const span = alignCorners ? n - 1 : n
  if (span === 0) return x.mul(0)
  const distance = x.sub(low).abs()
  const turns = distance.detach().div(span).floor()
  const extra = distance.sub(turns.mul(span))
  return extra.where(turns.remainder(2).eq(0), extra.neg().add(span)).add(low)
}

function bordered(x: Tensor, n: number, { padding, alignCorners }: SampleAttributes): Tensor {
  if (padding === 'zeros') return x
  return clip(padding === 'border' ? x : reflect(x, n, alignCorners), n)
}

/** Reads planes [n, c, plane] at one whole position per dimension; positions outside give 0. */
function readAt(planes: Tensor, sizes: readonly number[], at: readonly Tensor[]): Tensor {
  let inside: Tensor | null = null
  let flat: Tensor | null = null
  at.forEach((position, d) => {
    const valid = position.ge(0).logicalAnd(position.lt(sizes[d]))
    inside = inside === null ? valid : (inside as Tensor).logicalAnd(valid)
    // Where it is not valid any position will do.
    const index = position.where(valid, position.mul(0)).nanToNum(0).long()
    flat = flat === null ? index : (flat as Tensor).mul(sizes[d]).add(index)
  })
  const [n, channels] = planes.sizes
  const count = flat!.sizes[1]
  const values = planes.gather(2, expand(unsqueeze(flat!, 1), [n, channels, count]))
  return values.maskedFill(unsqueeze((inside! as Tensor).logicalNot(), 1), 0)
}

// Keys' cubic convolution, a = -0.75, of the four neighbours at distances 1 + t, t, 1 - t, 2 - t.
function cubicWeights(t: Tensor): Tensor[] {
  const a = -0.75
  const near = (x: Tensor) =>
    x
      .mul(a + 2)
      .sub(a + 3)
      .mul(x)
      .mul(x)
      .add(1)
  const far = (x: Tensor) =>
    x
      .mul(a)
      .sub(5 * a)
      .mul(x)
      .add(8 * a)
      .mul(x)
      .sub(4 * a)
  return [far(t.add(1)), near(t), near(t.neg().add(1)), far(t.neg().add(2))]
}

function sample([image, grid]: readonly Tensor[], a: SampleAttributes): Tensor {
  const wide = image.dtype.itemsize === 2 ? image.float() : image
  const places = grid.dtype.itemsize === 2 ? grid.float() : grid
  const [n, channels, ...sizes] = wide.sizes
  const rank = sizes.length
  const outputs = grid.sizes.slice(1, -1)
  const planes = reshape(wide, [n, channels, -1])
  // The grid has the last dimension's coordinate first.
  const positions = sizes.map((size, d) =>
    positionOf(reshape(select(places, -1, rank - 1 - d), [n, -1]), size, a.alignCorners),
  )
  // For each dimension the positions to read and their weights.
  const axes = positions.map((position, d): [at: Tensor, weight: Tensor | null][] => {
    const size = sizes[d]
    if (a.mode === 'bicubic') {
      const left = position.detach().floor()
      return cubicWeights(position.sub(left)).map((w, i) => [bordered(left.add(i - 1), size, a), w])
    }
    const place = bordered(position, size, a)
    if (a.mode === 'nearest') return [[place.detach().round(), null]]
    const left = place.detach().floor()
    const t = place.sub(left)
    return [
      [left, t.neg().add(1)],
      [left.add(1), t],
    ]
  })
  let total: Tensor | null = null
  const visit = (d: number, at: readonly Tensor[], weight: Tensor | null): void => {
    if (d < rank) {
      for (const [position, w] of axes[d])
        visit(d + 1, [...at, position], weight === null ? w : w === null ? weight : weight.mul(w))
      return
    }
    const value = readAt(planes, sizes, at)
    const term = weight === null ? value : value.mul(unsqueeze(weight, 1))
    total = total === null ? term : (total as Tensor).add(term)
  }
  visit(0, [], null)
  const result = reshape(total!, [n, channels, ...outputs])
  return to(result, image.dtype)
}

const samplers = [2, 3].map((rank) =>
  recomputedOp<SampleAttributes>(`GridSampler${rank}DBackward0`, 2, sample),
)

function checkSample(x: Tensor, grid: Tensor): void {
  if (x.dtype !== grid.dtype)
    throw new RuntimeError(
      `grid_sampler(): expected input and grid to have same dtype, but input has ${x.dtype.name} and grid has ${grid.dtype.name}`,
    )
  if (x.sizes[0] !== grid.sizes[0])
    throw new RuntimeError(
      `grid_sampler(): expected grid and input to have same batch size, but got input with sizes ${formatSizes(x.sizes)} and grid with sizes ${formatSizes(grid.sizes)}`,
    )
  if ((x.ndim !== 4 && x.ndim !== 5) || x.ndim !== grid.ndim)
    throw new RuntimeError(
      `grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes ${formatSizes(x.sizes)} and grid with sizes ${formatSizes(grid.sizes)}`,
    )
  if (grid.sizes[grid.ndim - 1] !== x.ndim - 2)
    throw new RuntimeError(
      `grid_sampler(): expected grid to have size ${x.ndim - 2} in last dimension, but got grid with sizes ${formatSizes(grid.sizes)}`,
    )
  const empty = x.sizes.findIndex((n, d) => d >= 2 && n === 0)
  if (empty >= 0)
    throw new RuntimeError(
      `grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes ${formatSizes(x.sizes)} with dimension ${empty} being empty`,
    )
}

function runSample(x: Tensor, grid: Tensor, attributes: SampleAttributes): Tensor {
  checkTensor('grid_sampler', 'input', x)
  checkTensor('grid_sampler', 'grid', grid)
  checkSample(x, grid)
  if (attributes.mode === 'bicubic' && x.ndim !== 4)
    throw new RuntimeError('grid_sampler(): bicubic interpolation only supports 4D input')
  return apply(samplers[x.ndim - 4], [x, grid], attributes)
}

/** Options of `gridSample`. */
export interface GridSampleOptions {
  /** Default `'bilinear'` (which means trilinear for volumes). */
  mode?: SampleMode
  /** Default `'zeros'`. */
  paddingMode?: SamplePadding
  /** Whether -1 and 1 are the centres of the corner elements rather than their outer edges; default false. */
  alignCorners?: boolean | null
}

export interface GridSample {
  (x: Tensor, grid: Tensor, mode?: SampleMode, options?: Omit<GridSampleOptions, 'mode'>): Tensor
  (x: Tensor, grid: Tensor, options?: GridSampleOptions): Tensor
}

/**
 * Reads images [n, c, h, w] at the places of `grid` [n, rows, columns, 2], or volumes [n, c, d, h, w] at those of
 * [n, depth, rows, columns, 3]. Places are (x, y) or (x, y, z) in [-1, 1] from edge to edge. Jaderberg et al. 2015.
 * @returns [n, c, ...] with the grid's spatial dimensions.
 */
export const gridSample: GridSample & FunctionInfo = fn<GridSample>(
  'grid_sample',
  ['input', 'grid'],
  ['mode', 'paddingMode', 'alignCorners'],
  (
    x: Tensor,
    grid: Tensor,
    { mode = 'bilinear', paddingMode = 'zeros', alignCorners }: GridSampleOptions,
  ) => {
    if (mode !== 'bilinear' && mode !== 'nearest' && mode !== 'bicubic')
      throw new ValueError(
        `nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '${String(mode)}'`,
      )
    if (paddingMode !== 'zeros' && paddingMode !== 'border' && paddingMode !== 'reflection')
      throw new ValueError(
        `nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '${String(paddingMode)}'`,
      )
    return runSample(x, grid, { mode, padding: paddingMode, alignCorners: alignCorners ?? false })
  },
  { method: false, positional: 1 },
)

/** `gridSample` with numbers for its options, as `torch.grid_sampler`. */
export type GridSampler = (
  x: Tensor,
  grid: Tensor,
  interpolationMode: number,
  paddingMode: number,
  alignCorners: boolean,
) => Tensor

const sampler = (name: string): GridSampler & FunctionInfo =>
  fn<GridSampler>(
    name,
    ['input', 'grid', 'interpolationMode', 'paddingMode', 'alignCorners'],
    [],
    (x: Tensor, grid: Tensor, mode: number, padding: number, alignCorners: boolean) =>
      runSample(x, grid, {
        mode: (['bilinear', 'nearest', 'bicubic'] as const)[mode],
        padding: (['zeros', 'border', 'reflection'] as const)[padding],
        alignCorners,
      }),
    { method: false },
  )

/** `gridSample` of images or volumes: modes bilinear 0, nearest 1, bicubic 2; paddings zeros 0, border 1, reflection 2. */
export const gridSampler: GridSampler & FunctionInfo = sampler('grid_sampler')
/** `gridSampler` of images. */
export const gridSampler2d: GridSampler & FunctionInfo = sampler('grid_sampler_2d')
/** `gridSampler` of volumes. */
export const gridSampler3d: GridSampler & FunctionInfo = sampler('grid_sampler_3d')

// ---- affine grids -----------------------------------------------------------------------------------------------------------

/** The places of all elements, with a 1 at the end: [elements, rank + 1]. */
function baseGrid(theta: Tensor, sizes: readonly number[], alignCorners: boolean): Tensor {
  const rank = sizes.length
  const along = (n: number): Tensor => {
    if (n <= 1) return theta.newZeros([n])
    const ends = linspace(-1, 1, n, { dtype: theta.dtype, device: theta.device })
    return alignCorners ? ends : ends.mul((n - 1) / n)
  }
  const coordinates = sizes.map((n, d) =>
    expand(
      view(
        along(n),
        sizes.map((_, i) => (i === d ? n : 1)),
      ),
      sizes,
    ),
  )
  return reshape(stack([...coordinates.reverse(), theta.newOnes([...sizes])], rank), [-1, rank + 1])
}

interface GridAttributes {
  readonly sizes: readonly number[]
  readonly alignCorners: boolean
}

const batchOf = (base: Tensor, n: number): Tensor => expand(unsqueeze(base, 0), [n, ...base.sizes])

const affineGridOp: Op<GridAttributes> = {
  node: 'AffineGridGeneratorBackward0',
  forward: ([theta], { sizes, alignCorners }) => {
    const [n, rank] = theta.sizes
    const base = batchOf(baseGrid(theta, sizes, alignCorners), n)
    return view(bmm(base, theta.transpose(1, 2)), [n, ...sizes, rank])
  },
  backward: ([g], { attributes: { sizes, alignCorners }, inputSizes }) => {
    const [n, rank] = inputSizes[0]
    const base = batchOf(baseGrid(g!.detach(), sizes, alignCorners), n)
    return [bmm(reshape(g!, [n, -1, rank]).transpose(1, 2), base)]
  },
}

export type AffineGrid = (
  theta: Tensor,
  size: readonly number[],
  options?: { alignCorners?: boolean | null },
) => Tensor

/**
 * The places at which `gridSample` reads an image moved by affine maps `theta` [n, 2, 3] (or volumes, [n, 3, 4]).
 * @param size The result's [n, c, h, w] or [n, c, d, h, w].
 * @returns [n, h, w, 2] or [n, d, h, w, 3].
 */
export const affineGrid: AffineGrid & FunctionInfo = fn<AffineGrid>(
  'affine_grid',
  ['theta', 'size'],
  ['alignCorners'],
  (theta: Tensor, size: readonly number[], { alignCorners }: { alignCorners?: boolean | null }) => {
    checkTensor('affine_grid', 'theta', theta)
    if (theta.dtype.kind !== 'float')
      throw new ValueError(`Expected theta to have floating point type, but got torch.${theta.dtype.name}`)
    const rank = size.length - 2
    if (rank !== 2 && rank !== 3)
      throw new NotImplementedError(
        `affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size ${formatSizes(size)}.`,
      )
    if (theta.ndim !== 3 || theta.sizes[1] !== rank || theta.sizes[2] !== rank + 1)
      throw new ValueError(
        `Expected a batch of ${rank}D affine matrices of shape Nx${rank}x${rank + 1} for size ${formatSizes(size)}. Got ${theta.shape}.`,
      )
    if (size.some((n) => n <= 0))
      throw new ValueError(`Expected non-zero, positive output size. Got ${formatSizes(size)}`)
    if (size[0] !== theta.sizes[0])
      throw new RuntimeError(
        `Expected size for first two dimensions of batch2 tensor to be: [${size[0]}, ${rank + 1}] but got: [${theta.sizes[0]}, ${rank + 1}].`,
      )
    return apply(affineGridOp, [theta], { sizes: size.slice(2), alignCorners: alignCorners ?? false })
  },
  { method: false, positional: 0 },
)
