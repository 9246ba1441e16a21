// Pooling by means (sliding and adaptive windows) and by p-norms.

import { IndexError, NotImplementedError, RuntimeError } from '../core/errors.ts'
import { numelOf } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { relu } from './activations.ts'
import { checkAdaptive, checkFloating, maxPool1d, maxPool2d, maxPool3d, outputSizes, type OutputSize, readWindow, windowsOver } from './max-pooling.ts'
import { apply, checkTensor, fn, type FunctionInfo, type Op } from './op.ts'
import { adaptiveWindows, divisorTable, transposedWindows, type WindowDim, windowSum } from './pooling-windows.ts'
import { squeeze, unsqueeze, view } from './views.ts'

interface MeanAttributes {
  readonly node: string
  readonly windows: readonly WindowDim[]
  /** What each window's sum is divided by: one number, or one for each window. */
  readonly divisors: readonly number[]
}

const windowMeanOp: Op<MeanAttributes> = {
  node: ({ node }) => node,
  forward: ([x], { windows, divisors }) => windowSum(x, windows, divisors),
  backward: ([g], c) => {
    const { node, windows, divisors } = c.attributes
    const spatial = c.inputSizes[0].slice(c.inputSizes[0].length - windows.length)
    const share =
      divisors.length === 1
        ? g!.div(divisors[0])
        : g!.div(view(divisorTable(divisors, g!.dtype.name === 'float64' ? g!.dtype : divisorDType(g!)), windows.map((w) => w.outputs)))
    // Each element collects from the windows that it is in.
    const attributes: MeanAttributes = {
      node: node.replace('Backward0', 'BackwardBackward0'),
      windows: windows.map((w, d) => transposedWindows(w, spatial[d])),
      divisors: [1],
    }
    return [apply(windowMeanOp, [share], attributes)]
  },
}
