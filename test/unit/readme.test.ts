// The TypeScript of the README and of the page on checkpoints: programs print what their comments say, and what is said not
// to compile does not.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'antorcha-readme-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const readme = ['README.md', 'docs/checkpoints.md']
  .map((name) => readFileSync(join(root, name), 'utf8'))
  .join('\n')
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code)
const failing = blocks.filter((code) => code.includes('// error TS')).join('')

/** A block that imports begins a program; one that does not goes on with the program before it. */
const programs: string[] = []
for (const code of blocks.filter((block) => !failing.includes(block)))
  if (code.startsWith('import')) programs.push(code)
  else programs[programs.length - 1] += code

/** The comments of a program, which are what it prints. */
function comments(code: string): string[] {
  return [...code.matchAll(/\/\/ (.*)$/gm)].map(([, text]) => text)
}

function write(name: string, code: string): void {
  const source = code.replaceAll("'antorcha'", JSON.stringify(join(root, 'src/index.ts')))
  writeFileSync(join(folder, name), source)
}

programs.forEach((code, i) => {
  write(`program-${i}.mts`, code)
})
write('failing.mts', `import { nn } from 'antorcha'\n${failing}`)

/** What the compiler says of each file. */
const messages = ((): string[] => {
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noImplicitOverride: false, typeRoots: [join(root, 'node_modules/@types')] },
    include: ['*.mts'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
  // A message may go on in indented lines.
  return stdout.split(/\n(?=\S)/)
})()

test('the README has programs, and code that does not compile', () => {
  expect(programs.length).toBeGreaterThanOrEqual(2)
  expect(failing).not.toBe('')
})

test.each(programs.map((_, i) => i))(
  'program %i of the README compiles and prints what it says',
  (i) => {
    expect(messages.filter((text) => text.includes(`program-${i}.mts`))).toEqual([])
    const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href
    const options = { cwd: folder, encoding: 'utf8' } as const
    const output = execFileSync(process.execPath, ['--import', tsx, `program-${i}.mts`], options)
    expect(output.trimEnd().split('\n')).toEqual(comments(programs[i]))
  },
  60_000,
)

test('what does not compile says why', () => {
  const text = messages.filter((message) => message.includes('failing.mts')).join('\n')
  const quoted = comments(failing.replaceAll(/\n\/\/ {3}/g, ' ')).flatMap((comment) => comment.split(' ... '))
  expect(quoted.length).toBe(4)
  for (const part of quoted) expect(text).toContain(part)
})
