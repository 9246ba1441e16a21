// Compiles shaders with Dawn (its null backend needs no GPU): `node compile-wgsl.mjs in.json out.json` reads an array of
// WGSL texts and writes, for each, the array of its errors. A process of its own, because Dawn does not end well inside
// a test worker; it ends itself, as Dawn's threads do not.
import { readFileSync, writeFileSync } from 'node:fs'
import { create } from 'webgpu'

const codes = JSON.parse(readFileSync(process.argv[2], 'utf8'))
// Reachable to the end: what is made from it does not keep it alive.
globalThis.gpu = create(['backend=null'])
const adapter = await globalThis.gpu.requestAdapter()
const device = await adapter.requestDevice({
  requiredFeatures: ['subgroups', 'shader-f16'].filter((name) => adapter.features.has(name)),
})
const results = []
for (const code of codes) {
  const { messages } = await device.createShaderModule({ code }).getCompilationInfo()
  results.push(messages.filter((m) => m.type === 'error').map((m) => `line ${m.lineNum}: ${m.message}`))
}
writeFileSync(process.argv[3], JSON.stringify(results))
process.kill(process.pid, 'SIGKILL')
