// What the workers run is plain JavaScript, as users run it: the library's bundle and one of each worker.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)

/** The built library. */
export const libraryFile = join(root, 'dist', 'index.js')
export const libraryUrl = pathToFileURL(libraryFile).href
export const pytorchWorker = join(here, 'workers', 'pytorch.py')
export const workerFile = (name: string): string => join(here, 'dist', `${name}.js`)

function newest(folder: string): number {
  let time = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      time = Math.max(time, statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs)
  }
  return time
}

/** Bundles the library if its sources are newer than its bundle, and the workers. Throws when that fails. */
export async function build(): Promise<void> {
  if (!existsSync(libraryFile) || statSync(libraryFile).mtimeMs < newest(join(root, 'src'))) {
    console.error('Bundling the library ...')
    const { status, stderr } = spawnSync('npx', ['rolldown', '--config', 'rolldown.config.js'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
      shell: process.platform === 'win32',
    })
    if (status !== 0) throw new Error(`the library could not be bundled:\n${stderr}`)
  }
  const { rolldown } = await import('rolldown')
  const names = ['antorcha', 'tfjs', 'jax']
  const bundle = await rolldown({
    input: Object.fromEntries(names.map((name) => [name, join(here, 'workers', `${name}.ts`)])),
    platform: 'node',
    external: [/^[^./]/],
  })
  await bundle.write({ dir: join(here, 'dist'), format: 'esm', cleanDir: true })
}
