// The package as a user gets it: what is in it, that Node and browsers can load it, that its types compile.

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
let project = ''

/** A project of somebody else's that has the package installed: what `npm pack` puts into it, and nothing else. */
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'antorcha-package-'))
  const installed = join(project, 'node_modules/antorcha')
  mkdirSync(installed, { recursive: true })
  for (const { path } of packedFiles()) cpSync(join(root, path), join(installed, path))
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

function packedFiles(): { path: string; size: number }[] {
  // The scripts stay out of it: the build ran before these tests.
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const report = JSON.parse(output) as { files: { path: string; size: number }[] }[] | Record<string, never>
  return (Array.isArray(report) ? report : Object.values(report))[0].files
}

function run(file: string, source: string): string {
  writeFileSync(join(project, file), source)
  return execFileSync(process.execPath, [file], { cwd: project, encoding: 'utf8' })
}

test('the package holds the build, its types, the README and the licence, and nothing else', () => {
  const strays = packedFiles()
    .map(({ path }) => path)
    .filter((path) => !/^(dist\/.*\.(js|js\.map|d\.ts|wasm)|package\.json|README\.md|LICENSE)$/.test(path))
  expect(strays).toEqual([])
})

test('Node loads it by its name and trains with it', () => {
  const output = run(
    'main.js',
    `import * as torch from 'antorcha'
     const model = new torch.nn.Linear(2, 1)
     const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 })
     model(torch.ones(4, 2)).sum().backward()
     optimizer.step()
     console.log(String(torch.tensor([1, 2.5])), String(model))`,
  )
  expect(output).toBe('tensor([1.0000, 2.5000]) Linear(in_features=2, out_features=1, bias=True)\n')
})

test('its command line inspects a file', () => {
  run('save.js', `import * as torch from 'antorcha'\ntorch.save({ w: torch.zeros(2, 3) }, 'w.pt')`)
  const command = join(project, 'node_modules/antorcha/dist/cli.js')
  const output = execFileSync(process.execPath, [command, 'inspect', 'w.pt'], {
    cwd: project,
    encoding: 'utf8',
  })
  expect(output).toMatch(/^w\.pt: checkpoint of torch\.save[\s\S]*\nw {2}float32 {2}\[2, 3\] {2}24 bytes\n$/)
  expect(spawnSync(process.execPath, [command, 'inspect', 'none.pt'], { cwd: project }).status).toBe(1)
})

test('importing it takes little time', () => {
  const output = run(
    'time.js',
    `const start = performance.now()
     await import('antorcha')
     console.log(performance.now() - start)`,
  )
  // The figure to meet is 60 ms on an idle machine; a busy one may be slower.
  expect(Number(output)).toBeLessThan(300)
})

test('nothing of Node is imported before it is needed, so that browsers can load it', () => {
  for (const name of readdirSync(join(root, 'dist')).filter((file) => file.endsWith('.js'))) {
    const source = readFileSync(join(root, 'dist', name), 'utf8')
    const statics =
      source.match(/^\s*(?:import|export)\b[^('"]*from\s*["'][^"']+["']|^\s*import\s*["'][^"']+["']/gm) ?? []
    expect(statics.filter((line) => !/["']\.\//.test(line))).toEqual([])
  }
})

test.each(['NodeNext', 'bundler'])(
  'its types compile in a strict project with %s resolution',
  (resolution) => {
    writeFileSync(
      join(project, 'check.ts'),
      `import * as torch from 'antorcha'
     import { nn, type Tensor } from 'antorcha'
     class Line extends nn.Module {
       m = new nn.Parameter(torch.rand(1))
       forward(x: Tensor): Tensor { return this.m.mul(x) }
     }
     const y: Tensor = new Line()(torch.ones(3))
     // @ts-expect-error: an unknown option
     torch.zeros(2, { dtyp: torch.float32 })
     export { y }`,
    )
    const module = resolution === 'NodeNext' ? 'NodeNext' : 'ESNext'
    const flags = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--types', '']
    const { status, stdout } = spawnSync(
      join(root, 'node_modules/.bin/tsc'),
      [...flags, '--module', module, '--moduleResolution', resolution, 'check.ts'],
      { cwd: project, encoding: 'utf8' },
    )
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  },
)
