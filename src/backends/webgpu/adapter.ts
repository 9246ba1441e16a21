// Getting a GPU device: from the browser, or in Node from the optional package `webgpu`. Loaded when one is asked for.

import { RuntimeError } from '../../core/errors.ts'
import { type AdapterInfo, type AdapterOptions, browserGpu, type Features, isNode } from './device.ts'
import { nodePackage } from './node-package.ts'

/** A device, and what is known of it. */
export interface Granted {
  readonly device: GPUDevice
  readonly info: AdapterInfo
  readonly features: Features
}

// Dawn's object must stay reachable as long as anything made from it is in use.
let nodeGpu: GPU | null = null

async function gpu(): Promise<GPU> {
  const found = browserGpu()
  if (found !== undefined) return found
  if (nodeGpu === null) {
    const path = nodePackage()!
    // A variable keeps bundlers from looking for the package.
    const dawn = (await import(/* @vite-ignore */ `file://${path}`)) as {
      create(flags: string[]): GPU
    }
    nodeGpu = dawn.create([])
  }
  return nodeGpu
}

const raisedLimits = [
  'maxStorageBuffersPerShaderStage',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
] as const

/**
 * Asks for a device with what the adapter can do.
 * @throws RuntimeError that says what to do where there is no adapter.
 */
export async function requestDevice({
  optionalFeatures = true,
  ...options
}: AdapterOptions): Promise<Granted> {
  const adapter = await (await gpu()).requestAdapter(options)
  if (adapter === null)
    throw new RuntimeError(
      `WebGPU is there, but it found no GPU adapter${isNode() ? ': this machine has no Vulkan, Metal or Direct3D driver that it can use. A software driver will do: set VK_ICD_FILENAMES to the .json file of one (SwiftShader, lavapipe)' : ': it may be blocked for this GPU or turned off (see chrome://gpu)'}; or use the device 'cpu'`,
    )
  const requiredLimits: Record<string, number> = {}
  for (const name of raisedLimits)
    if (optionalFeatures || name !== 'maxStorageBuffersPerShaderStage')
      requiredLimits[name] = adapter.limits[name]
  const requiredFeatures = (['subgroups', 'shader-f16'] as const).filter(
    (name) => optionalFeatures && adapter.features.has(name),
  )
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures })
  const { vendor, architecture, device: name, description } = adapter.info
  return {
    device,
    info: { vendor, architecture, device: name, description },
    features: {
      subgroups: requiredFeatures.includes('subgroups'),
      f16: requiredFeatures.includes('shader-f16'),
    },
  }
}
