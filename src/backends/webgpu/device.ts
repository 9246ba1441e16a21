// The GPU device in use: whether there is one, why not, and what happens when it is lost. Where it comes from: adapter.ts.

import { RuntimeError } from '../../core/errors.ts'
import type { Granted } from './adapter.ts'
import { nodePackage } from './node-package.ts'

/** Which of several adapters to take; https://www.w3.org/TR/webgpu/#dictdef-gpurequestadapteroptions */
export interface AdapterOptions {
  /** `low-power` for an integrated GPU, `high-performance` for a discrete one; default: the browser's choice. */
  powerPreference?: 'low-power' | 'high-performance'
  /** Takes the software adapter. */
  forceFallbackAdapter?: boolean
  /**
   * Uses what the adapter has beyond the standard (`subgroups`, `shader-f16`, more than 8 tensors in a kernel); default true. False
   * helps to find a fault.
   */
  optionalFeatures?: boolean
}

/** What shaders may use beyond the standard. */
export interface Features {
  /** Invocations that run side by side may exchange values. */
  readonly subgroups: boolean
  /** The type f16. */
  readonly f16: boolean
}

/** What every adapter has. */
export const noFeatures: Features = { subgroups: false, f16: false }

/** What is known of the adapter in use. */
export interface AdapterInfo {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
}

/** The numbers of bind group and buffer usages that the library needs; Node has no global constants for them. */
export const usage = {
  mapRead: 0x0001,
  copySource: 0x0004,
  copyDestination: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
} as const

let current: GPUDevice | null = null
let info: AdapterInfo | null = null
let currentFeatures = noFeatures
let failure: Error | null = null
let starting: Promise<GPUDevice> | null = null
let lost = 0
const lostListeners: (() => void)[] = []

/** Whether this is Node. */
export const isNode = (): boolean => globalThis.process?.versions?.node !== undefined

/** The browser's WebGPU, if this is a browser that has it. */
export const browserGpu = (): GPU | undefined => (globalThis.navigator as { gpu?: GPU } | undefined)?.gpu

/** Why there can be no device here, as far as that is known without waiting; null where there may be one. */
export function obstacle(): Error | null {
  if (failure !== null) return failure
  if (current !== null || browserGpu() !== undefined) return null
  if (!isNode())
    return new RuntimeError(
      "this browser has no WebGPU (navigator.gpu is missing): use a current Chrome, Edge, Safari or Firefox on a page served over https or from localhost, or the device 'cpu'",
    )
  if (nodePackage() === null)
    return new RuntimeError(
      "Node has no WebGPU of its own: run `npm install webgpu` (Google's Dawn), or use the device 'cpu'",
    )
  return null
}

async function request(options: AdapterOptions): Promise<Granted> {
  const why = obstacle()
  if (why !== null) throw why
  const { requestDevice } = await import('./adapter.ts')
  return requestDevice(options)
}

function use(granted: Granted): GPUDevice {
  const { device } = granted
  void device.lost.then(({ message, reason }) => {
    if (current !== device) return
    failure = new RuntimeError(
      `the WebGPU device was lost (${reason}: ${message.trim() || 'no reason given'}): its tensors are gone. Restart the program or reload the page; await torch.webgpu.init() asks for a new device`,
    )
    current = null
    lost++
    for (const tell of lostListeners) tell()
  })
  info = granted.info
  currentFeatures = granted.features
  current = device
  return device
}

/**
 * The device, asked for where there is none yet. Options matter for the first call only.
 * @throws RuntimeError that says what to install or do, where there is none; later calls throw the same.
 */
export function start(options: AdapterOptions = {}): Promise<GPUDevice> {
  if (current !== null) return Promise.resolve(current)
  starting ??= request(options).then(
    (granted) => {
      starting = null
      return use(granted)
    },
    (error: Error) => {
      starting = null
      failure = error
      throw error
    },
  )
  return starting
}

/** Forgets a failure, so that `start` tries again. */
export function retry(): void {
  failure = null
}

/** From now on there is no device, for this reason. */
export function fail(error: Error): void {
  failure = error
}

/** What shaders may use on the device in use; before there is one, what they may use everywhere. */
export function features(): Features {
  return current === null ? noFeatures : currentFeatures
}

/** The device if it is there. */
export function ready(): GPUDevice | null {
  return current
}

/** What is known of the adapter in use; null before there is one. */
export function adapterInfo(): AdapterInfo | null {
  return info
}

/** How many devices were lost so far: memory from before is gone. */
export function lostCount(): number {
  return lost
}

/** Calls `listener` when the device is lost. */
export function onLost(listener: () => void): void {
  lostListeners.push(listener)
}
