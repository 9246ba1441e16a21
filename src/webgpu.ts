// The namespace `torch.webgpu`: whether there is a GPU, which one, waiting for it, its memory.

import {
  type AdapterInfo,
  type AdapterOptions,
  adapterInfo,
  obstacle,
  ready,
  retry,
  start,
} from './backends/webgpu/device.ts'
import { webgpuBackend } from './backends/webgpu/webgpu.ts'
import { RuntimeError, ValueError } from './core/errors.ts'

export type { AdapterInfo, AdapterOptions } from './backends/webgpu/device.ts'

/** Whether tensors can be on the device `webgpu` here. Asks for the device, so that it is there afterwards. */
export async function isAvailable(): Promise<boolean> {
  try {
    await Promise.all([start(), webgpuBackend.load()])
    return true
  } catch {
    return false
  }
}

/**
 * Asks for the GPU, with a choice of adapter. Nobody has to call it: the first tensor on `webgpu` asks for the browser's
 * choice. After the device was lost it asks for a new one.
 * @throws ValueError for an unknown preference; RuntimeError that says what to install or do where there is none; RuntimeError where a device is already in use
 * and options are given.
 */
export async function init(options: AdapterOptions = {}): Promise<AdapterInfo> {
  const { powerPreference } = options
  if (
    powerPreference !== undefined &&
    powerPreference !== 'low-power' &&
    powerPreference !== 'high-performance'
  )
    throw new ValueError(
      `webgpu.init(): powerPreference is 'low-power' or 'high-performance', got '${powerPreference}'`,
    )
  if (ready() === null) retry()
  else if (Object.keys(options).length > 0)
    throw new RuntimeError(
      `webgpu.init(): a device is already in use (${adapterInfo()!.description}), so options come too late: call it before anything else uses 'webgpu'`,
    )
  await Promise.all([start(options), webgpuBackend.load()])
  return adapterInfo()!
}

/** Why tensors cannot be on `webgpu` here, as far as that is known without asking for a device; else null. */
export function unavailableReason(): string | null {
  return obstacle()?.message ?? null
}

/** What is known of the GPU in use, null before it was asked for. */
export function deviceInfo(): AdapterInfo | null {
  return adapterInfo()
}

/** Waits until everything that was launched so far is done. Rejects where something went wrong on the device. */
export async function synchronize(): Promise<void> {
  await start()
  const probe = webgpuBackend.allocate(4)
  await webgpuBackend.read(probe, 0, 4)
  webgpuBackend.free(probe)
}

/** Memory and work so far. */
export interface Statistics {
  /** Tensors' memories, and their bytes. */
  readonly allocations: number
  readonly allocatedBytes: number
  /** Bytes of GPU buffers in use, and kept for later. */
  readonly usedBytes: number
  readonly cachedBytes: number
  /** Kernels run, and the submissions in which they went to the GPU. */
  readonly dispatches: number
  readonly submissions: number
}

/** Counts of memory and of work so far. */
export function statistics(): Statistics {
  const queue = webgpuBackend.engine?.queue
  return {
    allocations: webgpuBackend.count,
    allocatedBytes: webgpuBackend.live,
    usedBytes: queue?.pool.used ?? 0,
    cachedBytes: queue?.pool.kept ?? 0,
    dispatches: queue?.counts.dispatches ?? 0,
    submissions: queue?.counts.submissions ?? 0,
  }
}

/** Gives the memory of freed tensors, which is kept for later ones, back to the system. */
export function emptyCache(): void {
  const queue = webgpuBackend.engine?.queue
  queue?.flush()
  queue?.pool.empty()
}

/**
 * How many bytes tensors may hold (default 4 GiB) and how many freed ones are kept for later (default 256 MiB).
 * @throws ValueError for what is no number of bytes.
 */
export function setMemoryLimit(bytes: number, { cache }: { cache?: number } = {}): void {
  for (const [name, value] of [
    ['bytes', bytes],
    ['cache', cache ?? 0],
  ] as const)
    if (!Number.isInteger(value) || value < 0)
      throw new ValueError(`setMemoryLimit: ${name} must be a whole number of bytes, got ${value}`)
  webgpuBackend.limit = bytes
  if (cache === undefined) return
  webgpuBackend.inOrder(({ queue }) => {
    queue.pool.budget = cache
  })
}
