// Views and autograd: when the memory of a view was changed in place, its place in the graph follows from its base.

import { RuntimeError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { gradMode } from './mode.ts'
import { type Node, operationName } from './node.ts'

/**
 * What made a view. All but `one` forbid changing its memory in place while gradients are recorded: it is one of
 * several results of an operation, was made inside `noGrad`, or is the result of a custom Function.
 */
export type ViewOrigin = 'one' | 'several' | 'noGrad' | 'function'

type Maker = (base: Tensor, view: Tensor) => Node

let makeNode: Maker | null = null

/** Set by the module that knows the node of `asStrided`; a slot here keeps imports in one direction. */
export function setViewNodeMaker(maker: Maker): void {
  makeNode = maker
}

/** Makes `view` a view of the memory of `x`, to which nothing was recorded yet. */
export function markView(view: Tensor, x: Tensor, origin: ViewOrigin = x.viewOrigin): void {
  view.base = x.base ?? x
  view.viewVersion = x.storage.version
  view.viewOrigin = gradMode.enabled || origin === 'function' ? origin : 'noGrad'
}

/** Makes result number `outputNumber` of `node` what a tensor is; where its gradient is retained moves along. */
export function setGradFn(x: Tensor, node: Node, outputNumber: number): void {
  const state = x.ensureAutograd()
  if (state.retainsGrad && state.gradFn !== null) {
    state.gradFn.retained?.delete(state.outputNumber)
    node.retained ??= new Map()
    node.retained.set(outputNumber, x)
  }
  state.gradFn = node
  state.outputNumber = outputNumber
}

/**
 * Records a view whose memory was changed in place anew, as a strided view of its base as that is now.
 * @throws RuntimeError for views of which PyTorch does not allow this.
 */
export function refreshView(view: Tensor): void {
  const { base } = view
  // Where no gradient flows into the base there is nothing to point at.
  if (base === null || makeNode === null || base.autograd === null || base.autograd.gradFn === null) return
  if (view.viewOrigin !== 'one') throw forbiddenChange(view, 'its base or another view of its base has been')
  setGradFn(view, makeNode(base, view), 0)
  view.viewVersion = view.storage.version
}

/** PyTorch's error for a change in place of a view that does not allow it. */
export function forbiddenChange(view: Tensor, what = 'is being'): RuntimeError {
  const node = view.autograd?.gradFn ?? null
  const source =
    node === null
      ? `A view was created in no_grad mode and ${what} modified inplace with grad mode enabled.`
      : `Output ${view.autograd!.outputNumber} of ${operationName(node)} is a view and ${what} modified inplace.`
  return new RuntimeError(`${source} ${reasons[view.viewOrigin]}`)
}

const reasons: Record<ViewOrigin, string> = {
  one: '',
  several:
    'This view is the output of a function that returns multiple views. Such functions do not allow the output views to be modified inplace. You should replace the inplace operation by an out-of-place one.',
  noGrad:
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked).",
  function:
    'This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to handle view+inplace would override the custom backward associated with the custom Function, leading to incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function.',
}
