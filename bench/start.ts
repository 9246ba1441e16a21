// `npm run bench`: installs what the benchmark compares with when it is not there yet, then runs it.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

if (!existsSync(`${here}/node_modules/.package-lock.json`)) {
  console.error('Installing TensorFlow.js and jax-js into bench/node_modules, this once (about 300 MB) ...')
  const { status } = spawnSync(
    'npm',
    ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'],
    {
      cwd: here,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    },
  )
  if (status !== 0) {
    console.error('They could not be installed. With a network connection, run: npm ci --prefix bench')
    process.exit(1)
  }
}

const args = process.argv.slice(2)
const device = args.indexOf('--device')
const onGpu = args.includes('--device=webgpu') || (device >= 0 && args[device + 1] === 'webgpu')
const { main } = await import(onGpu ? './gpu.ts' : './cli.ts')
process.exitCode = await main(args)
