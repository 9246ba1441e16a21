// A GPU for machines without one: SwiftShader, the software Vulkan driver that comes with Chromium. Must be called before
// the package `webgpu` is loaded.

import { existsSync } from 'node:fs'

const drivers = ['/usr/lib/chromium/vk_swiftshader_icd.json', '/opt/google/chrome/vk_swiftshader_icd.json']

/** Has Vulkan use a software driver where there is no GPU and nobody chose a driver. Returns its file, or null. */
export function useSoftwareGpu(): string | null {
  const chosen = process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES
  if (chosen !== undefined) return chosen
  if (process.platform !== 'linux' || existsSync('/dev/dri/renderD128') || existsSync('/dev/nvidia0'))
    return null
  const driver = drivers.find((path) => existsSync(path)) ?? null
  if (driver !== null) process.env.VK_ICD_FILENAMES = driver
  return driver
}
