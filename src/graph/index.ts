// torch.graph: capture a function of tensors once, replay it without its JavaScript.

export { type Captured, type CaptureOptions, capture } from './capture.ts'
