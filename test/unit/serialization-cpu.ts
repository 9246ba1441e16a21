// Registers the CPU backend, which is all of the library that checkpoints need besides tensors.

import { registerBackend } from '../../src/backends/backend.ts'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'

registerBackend(cpuBackend)
