// The namespace torch.signal.

export * as windows from './windows.ts'
