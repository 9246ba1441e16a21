// The page docs/names.md: PyTorch's public names, each with the library's, where there is one. PyTorch's are in pytorch-names.json, which
// pytorch-names.py makes; the library's are asked for at run time.

import { readFileSync } from 'node:fs'
import * as torch from '../../src/index.ts'
import { camelCase, find } from '../conformance/library.ts'
import { publicNames } from '../support/public-names.ts'

type Names = Readonly<Record<string, readonly string[]>>

const { version, ...namespaces } = JSON.parse(
  readFileSync(new URL('./pytorch-names.json', import.meta.url), 'utf8'),
) as Names & { version: string }

const has = (namespace: string, name: string): boolean =>
  namespace === 'torch.Tensor'
    ? camelCase(name) in torch.Tensor.prototype
    : find(`${namespace}.${name}`) !== undefined

/** How many of PyTorch's names in a namespace the library has. */
export function countIn(namespace: string): { readonly present: number; readonly all: number } {
  const names = (namespaces as Names)[namespace]
  return { present: names.filter((name) => has(namespace, name)).length, all: names.length }
}

function section(namespace: string): string {
  const { present, all } = countIn(namespace)
  const rows = (namespaces as Names)[namespace].map((name) =>
    has(namespace, name) ? `| ✓ | \`${name}\` | \`${camelCase(name)}\` |` : `| | \`${name}\` | |`,
  )
  return [
    `## ${namespace}`,
    '',
    `${present} of ${all}.`,
    '',
    '| | PyTorch | antorcha |',
    '| --- | --- | --- |',
    ...rows,
  ].join('\n')
}

/** Names of the library that PyTorch does not have, or not as public functions and classes. */
function ownNames(): string[] {
  const known = new Set(
    Object.entries(namespaces as Names).flatMap(([namespace, names]) =>
      names.map((name) => camelCase(`${namespace}.${name}`).replace(/^torch\./, '')),
    ),
  )
  return publicNames()
    .map(({ name }) => name)
    .filter((name) => !known.has(name) && !name.startsWith('Tensor.') && !name.startsWith('nn.modules.'))
    .sort()
}

/** The text of docs/names.md. */
export function namesPage(): string {
  const counts = Object.keys(namespaces).map(countIn)
  const total = (which: 'present' | 'all') => counts.reduce((n, count) => n + count[which], 0)
  return [
    '# Names',
    '',
    `The public functions, classes and methods of PyTorch ${version}, and what they are called here: ${total('present')} of ${total('all')}. What has no tick is`,
    'not there. Made by `npm run names`; exceptions to the rule of names are explained in [naming](naming.md).',
    '',
    ...Object.keys(namespaces).flatMap((namespace) => [section(namespace), '']),
    '## Only here',
    '',
    'What PyTorch lacks, has under another name, or does not list as a function or class (dtypes, for example): ',
    `${ownNames()
      .map((name) => `\`${name}\``)
      .join(', ')}.`,
    '',
  ].join('\n')
}
