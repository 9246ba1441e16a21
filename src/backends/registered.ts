// Registers the backends there are.

import { registerBackend } from './backend.ts'
import { cpuBackend } from './cpu/cpu.ts'
import { webgpuBackend } from './webgpu/webgpu.ts'

registerBackend(cpuBackend)
registerBackend(webgpuBackend)
