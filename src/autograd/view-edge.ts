// Views and autograd: when the memory of a view was changed in place, its place in the graph follows from its base.

import type { Tensor } from '../tensor/tensor.ts'
import type { Node } from './node.ts'

type Maker = (base: Tensor, view: Tensor) => Node

let makeNode: Maker | null = null

/** Set by the module that knows the node of `asStrided`; a slot here keeps imports in one direction. */
export function setViewNodeMaker(maker: Maker): void {
  makeNode = maker
}

/** Whether a view's recorded node still says where its values come from. */
export function edgeVersionIsCurrent(view: Tensor): boolean {
  const { autograd, base } = view
  if (autograd !== null && autograd.viewVersion === view.storage.version) return true
  // No gradient flows into the base: there is nothing to point at.
  return base === null || base.autograd === null || base.autograd.gradFn === null
}

/** Records a view anew as a strided view of its base as that is now. */
export function regenerateViewEdge(view: Tensor): void {
  const state = view.ensureAutograd()
  if (view.base === null || makeNode === null) return
  state.gradFn = makeNode(view.base, view)
  state.outputNumber = 0
  state.viewVersion = view.storage.version
}
