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
  throw new Error(reasonIn(output) ?? `${file} failed; npm run native shows why`)
}

/** The line that says why: a compiler's error, else what node-gyp gives as the error. Its lines begin `gyp ERR! `. */
function reasonIn(output) {
  const lines = output.split('\n').map((line) => line.trim())
  for (const pattern of [/\berror: (.+)/, /gyp ERR! stack Error: (.+)/, /\bError: (.+)/]) {
    const line = lines.find((text) => pattern.test(text))
    if (line !== undefined) return line.match(pattern)[1]
  }
  return null
}

// node-gyp would find out late, and say so at length.
function checkTools() {
  if (process.platform === 'win32') return
  const compiler = process.env.CXX ?? (process.platform === 'darwin' ? 'clang++' : 'g++')
  for (const [tool, what, hint] of [
    [compiler, 'C++ compiler', 'install one, or name it in CXX'],
    ['make', 'make', 'install it'],
  ]) {
    const { status } = spawnSync(`${tool} --version`, { shell: true, stdio: 'ignore' })
    if (status !== 0) throw new Error(`no ${what}: ${tool} does not run; ${hint}`)
  }
}

const skipped = (reason) =>
  console.log(`native addon: not built (${reason}); antorcha computes in WebAssembly, only slower`)

if (process.env.ANTORCHA_NATIVE === '0') skipped('ANTORCHA_NATIVE=0')
else
  try {
    checkTools()
    run(require.resolve('tsx/cli'), ['generate.ts'])
    const task = process.argv.includes('--clean') ? 'rebuild' : 'build'
    run(require.resolve('node-gyp/bin/node-gyp.js'), ['configure', task, '--jobs=max'])
    console.log('native addon: built')
  } catch (error) {
    skipped(error.message.split('\n')[0])
  }
