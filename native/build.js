// Builds the native addon where a compiler is found; says in one line what came of it. Never a failure of an install:
// without the addon the library computes in WebAssembly.

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const require = createRequire(import.meta.url)

function run(file, args) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [file, ...args], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (status === 0) return
  const output = `${stdout ?? ''}${stderr ?? ''}${error ?? ''}`
  if (process.argv.includes('--verbose')) console.error(output)
  const lines = output.split('\n').map((line) => line.trim())
  throw new Error(lines.find((line) => /error|ERR!.*(not|find|fail)/i.test(line)) ?? `${file} failed`)
}

const skipped = (reason) =>
  console.log(`native addon: not built (${reason}); antorcha computes in WebAssembly, only slower`)

if (process.env.ANTORCHA_NATIVE === '0') skipped('ANTORCHA_NATIVE=0')
else
  try {
    run(require.resolve('tsx/cli'), ['generate.ts'])
    const task = process.argv.includes('--clean') ? 'rebuild' : 'build'
    run(require.resolve('node-gyp/bin/node-gyp.js'), ['configure', task, '--jobs=max'])
    console.log('native addon: built')
  } catch (error) {
    skipped(error.message.split('\n')[0])
  }
