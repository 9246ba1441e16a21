// The parts by name, each loaded when it is run.

import { join } from 'node:path'
import { useSoftwareGpu } from '../support/software-gpu.ts'
import { type Part, type PartReport, runPart } from './case.ts'

const loaders: Readonly<Record<string, () => Promise<{ part: Part }>>> = {
  ops: () => import('./parts/ops.ts'),
  'ops-complex': () => import('./parts/ops.ts'),
  modules: () => import('./parts/modules.ts'),
  random: () => import('./parts/random.ts'),
  repr: () => import('./parts/repr.ts'),
  optim: () => import('./parts/optim.ts'),
  files: () => import('./parts/files.ts'),
  hf: () => import('./parts/hf.ts'),
  training: () => import('./parts/training.ts'),
  lesson: () => import('./parts/lesson.ts'),
}

export const partNames: readonly string[] = Object.keys(loaders)

/** Throws if the library cannot make tensors on a device. */
export async function requireDevice(device: string): Promise<void> {
  if (device === 'webgpu') useSoftwareGpu()
  const { torch } = await import('./library.ts')
  await torch.zeros(1).to(device).itemAsync()
}

/** Tells the errors with which a device refuses to make tensors of some dtypes. */
async function refusalsOf(device: string): Promise<(error: unknown) => boolean> {
  const { torch } = await import('./library.ts')
  const { backendFor } = await import('../../src/backends/backend.ts')
  const { allDTypes } = await import('../../src/core/dtype.ts')
  const backend = backendFor(torch.device(device).type)
  const messages = new Set(allDTypes.map((dtype) => backend.refusal?.(dtype) ?? null))
  return (error) => error instanceof Error && messages.has(error.message)
}

/** Runs one part of the data in `folder`: all cases, or each `every`-th. */
export async function runNamedPart(
  name: string,
  folder: string,
  {
    only = () => true,
    device = 'cpu',
    every = 1,
  }: { only?: (name: string) => boolean; device?: string; every?: number } = {},
): Promise<PartReport> {
  let part: Part
  try {
    const { target } = await import('./decode.ts')
    target.device = device
    part = (await loaders[name]()).part
  } catch (error) {
    // A part that needs what does not exist yet is a failure of its own and leaves the others alone.
    const reason = `could not be loaded: ${error instanceof Error ? error.message : error}`
    return new Map([[name, { passed: 0, failed: 1, unsupported: 0, failures: [{ id: 'import', reason }] }]])
  }
  return runPart(part, join(folder, name), only, { isUnsupported: await refusalsOf(device), every })
}
