// Short-time Fourier transforms: those of overlapping frames of a signal, and the signal from them.

import { RuntimeError } from '../core/errors.ts'
import { complex, imag, real } from '../ops/complex.ts'
import { ones } from '../ops/creation.ts'
import { fold } from '../ops/fold.ts'
import { checkTensor, type FunctionInfo, fn } from '../ops/op.ts'
import { pad } from '../ops/padding.ts'
import { narrow, squeeze, transpose, unfold, unsqueeze, viewAsReal } from '../ops/views.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fft, ifft, irfft, rfft } from './index.ts'

interface FrameOptions {
  /** Samples from one frame to the next; default a quarter of `nFft`. */
  hopLength?: number | null
  /** Length of the window; default `nFft`. A shorter one stands in the middle of the frame. */
  winLength?: number | null
  /** What each frame is multiplied with, [winLength]; default ones. */
  window?: Tensor | null
  /** Whether frame t is centred at sample t hopLength (default true) rather than begins there. */
  center?: boolean
  /** Scale by 1 / sqrt(nFft); default false. */
  normalized?: boolean
  /** Half of the spectrum only, as real signals have it; by default where that is possible. */
  onesided?: boolean | null
}

/** Options of `stft`. */
export interface StftOptions extends FrameOptions {
  /** How a centred signal is continued at its ends; default 'reflect'. */
  padMode?: 'reflect' | 'constant' | 'replicate' | 'circular'
  /** True: complex numbers; false: pairs of real ones in a last dimension. Must be given for real signals. */
  returnComplex?: boolean | null
}

/** Options of `istft`. */
export interface IstftOptions extends FrameOptions {
  /** The length of the signal; by default what the frames hold for certain. */
  length?: number | null
  /** Whether the signal is complex; default false. */
  returnComplex?: boolean
}

/** The window in the middle of a frame of `nFft` samples. */
function frameWindow(name: string, x: Tensor, nFft: number, { window, winLength }: FrameOptions): Tensor {
  const length = winLength ?? nFft
  if (!(length > 0 && length <= nFft))
    throw new RuntimeError(`${name}: expected 0 < win_length <= n_fft, but got win_length=${length}`)
  if (window && (window.ndim !== 1 || window.sizes[0] !== length))
    throw new RuntimeError(
      `${name}: expected a 1D window tensor of size equal to win_length=${length}, but got window with size [${window.sizes.join(', ')}]`,
    )
  const own =
    window ?? ones([length], { dtype: x.dtype.isComplex ? real(x).dtype : x.dtype, device: x.device })
  const left = Math.floor((nFft - length) / 2)
  return length === nFft ? own : pad(own, [left, nFft - length - left])
}

/** The type of `stft`. */
export type Stft = (x: Tensor, nFft: number, options?: StftOptions) => Tensor

/**
 * The Fourier transforms of overlapping frames of a signal [length] or of several [n, length]: [n, frequencies, frames].
 * @throws RuntimeError for a window that does not fit, or a real signal without `returnComplex`
 */
export const stft: Stft & FunctionInfo = fn<Stft>(
  'stft',
  ['input', 'nFft'],
  ['hopLength', 'winLength', 'window', 'center', 'padMode', 'normalized', 'onesided', 'returnComplex'],
  (input: Tensor, nFft: number, options: StftOptions) => {
    checkTensor('stft', 'input', input)
    const { center = true, padMode = 'reflect', normalized = false, returnComplex = null } = options
    const hop = options.hopLength ?? Math.floor(nFft / 4)
    if (input.ndim !== 1 && input.ndim !== 2)
      throw new RuntimeError(`stft: expected a 1D or 2D tensor, but got a ${input.ndim}D tensor`)
    if (!(hop > 0)) throw new RuntimeError(`stft: expected hop_length > 0, but got hop_length=${hop}`)
    const window = frameWindow('stft', input, nFft, options)
    const isComplex = input.dtype.isComplex || window.dtype.isComplex
    if (returnComplex === null && !isComplex)
      throw new RuntimeError(
        'stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future PyTorch release.',
      )
    const onesided = options.onesided ?? !isComplex
    if (onesided && isComplex)
      throw new RuntimeError('Cannot have onesided output if window or input is complex')
    let x = input.ndim === 1 ? unsqueeze(input, 0) : input
    if (center) {
      const side = Math.floor(nFft / 2)
      const ends = (part: Tensor) => squeeze(pad(unsqueeze(part, 1), [side, side], { mode: padMode }), 1)
      x = x.dtype.isComplex ? complex(ends(real(x)), ends(imag(x))) : ends(x)
    }
    if (!(nFft > 0 && nFft <= x.sizes[1]))
      throw new RuntimeError(`stft: expected 0 < n_fft < ${x.sizes[1]}, but got n_fft=${nFft}`)
    const frames = unfold(x, -1, nFft, hop).mul(window)
    const spectrum = (onesided ? rfft : fft)(frames, { norm: normalized ? 'ortho' : 'backward' })
    const result = transpose(spectrum, 1, 2)
    const shaped = input.ndim === 1 ? squeeze(result, 0) : result
    return (returnComplex ?? true) ? shaped : viewAsReal(shaped.contiguous())
  },
  { positional: 0 },
)

// Frames [n, frames, length] added up where they overlap: [n, total].
function overlapAdd(frames: Tensor, hop: number): Tensor {
  if (frames.dtype.isComplex) return complex(overlapAdd(real(frames), hop), overlapAdd(imag(frames), hop))
  const [, count, length] = frames.sizes
  const total = length + hop * (count - 1)
  const folded = fold(transpose(frames, 1, 2), [1, total], [1, length], { stride: [1, hop] })
  return folded.reshape(frames.sizes[0], total)
}

/** The type of `istft`. */
export type Istft = (x: Tensor, nFft: number, options?: IstftOptions) => Tensor

/**
 * The signal [length] (or [n, length]) whose short-time transforms [frequencies, frames] (or [n, frequencies, frames]) come nearest to
 * these. Griffin and Lim 1984.
 * @throws RuntimeError for real input, or where the windows leave samples out
 */
export const istft: Istft & FunctionInfo = fn<Istft>(
  'istft',
  ['input', 'nFft'],
  ['hopLength', 'winLength', 'window', 'center', 'normalized', 'onesided', 'length', 'returnComplex'],
  (input: Tensor, nFft: number, options: IstftOptions) => {
    checkTensor('istft', 'input', input)
    if (!input.dtype.isComplex)
      throw new RuntimeError(
        'istft requires a complex-valued input tensor matching the output from stft with return_complex=True.',
      )
    const { center = true, normalized = false, length = null, returnComplex = false } = options
    const hop = options.hopLength ?? Math.floor(nFft / 4)
    const x = input.ndim === 2 ? unsqueeze(input, 0) : input
    if (x.ndim !== 3 || x.numel() === 0)
      throw new RuntimeError(
        `istft: expected a tensor with 2 or 3 dimensions and elements, but got sizes [${input.sizes.join(', ')}]`,
      )
    const frequencies = x.sizes[1]
    const onesided = options.onesided ?? frequencies !== nFft
    const expected = onesided ? Math.floor(nFft / 2) + 1 : nFft
    if (frequencies !== expected)
      throw new RuntimeError(
        `istft: expected the frequency dimension (3rd to the last) of the input tensor to match ${onesided ? 'n_fft / 2 + 1 when onesided=True' : 'n_fft when onesided=False'}, but got ${frequencies}`,
      )
    if (onesided && returnComplex)
      throw new RuntimeError('istft: cannot have onesided input with return_complex=True')
    const window = frameWindow('istft', input, nFft, options)
    const norm = normalized ? 'ortho' : 'backward'
    const spectra = transpose(x, 1, 2)
    const half = narrow(spectra, -1, 0, Math.floor(nFft / 2) + 1)
    const frames = returnComplex ? ifft(spectra, { norm }) : irfft(half, { n: nFft, norm })
    const count = x.sizes[2]
    const signal = overlapAdd(frames.mul(window), hop)
    const squares = unsqueeze(window.mul(window), 0).expand(count, nFft)
    const envelope = overlapAdd(unsqueeze(squares, 0), hop)
    const total = nFft + hop * (count - 1)
    const start = center ? Math.floor(nFft / 2) : 0
    const end = length !== null ? start + length : center ? total - Math.floor(nFft / 2) : total
    const known = Math.min(end, total) - start
    const weights = narrow(envelope, 1, start, known)
    if (!(Number(weights.detach().abs().amin().item()) > 1e-11))
      throw new RuntimeError('window overlap add min: 1')
    const result = narrow(signal, 1, start, known).div(weights)
    const filled = end > total ? pad(result, [0, end - total]) : result
    return input.ndim === 2 ? squeeze(filled, 0) : filled
  },
  { positional: 0 },
)
