// The public names of the library as its sources export them: for each the file that declares it, and whether documentation
// stands before the declaration.

import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { parseSync } from 'rolldown/utils'

/** A public value: a function, a class, a constant. */
export interface PublicName {
  /** With its namespace: `nn.functional.relu`. */
  readonly name: string
  readonly file: string
  readonly isDocumented: boolean
}

interface Declared {
  readonly file: string
  readonly isDocumented: boolean
}

type Exported = Declared | { readonly namespace: string }

// What is used of a syntax tree: https://github.com/estree/estree
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

interface SourceFile {
  readonly body: readonly Node[]
  /** Where the documentation comments end, by that place with the white space after them. */
  readonly documented: ReadonlySet<number>
}

const root = resolve(import.meta.dirname, '../..')
const files = new Map<string, SourceFile>()

function parse(file: string): SourceFile {
  let found = files.get(file)
  if (found === undefined) {
    const text = readFileSync(file, 'utf8')
    const { program, comments, errors } = parseSync(file, text)
    if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`)
    const documented = comments
      .filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
      .map(({ end }) => end + (/^\s*/.exec(text.slice(end))?.[0].length ?? 0))
    found = { body: program.body as unknown as Node[], documented: new Set(documented) }
    files.set(file, found)
  }
  return found
}

const nameOf = (node: unknown): string => {
  const { name, value } = node as { name?: string; value?: string }
  return name ?? value ?? ''
}

const sourceOf = (file: string, node: Node): string => resolve(dirname(file), nameOf(node.source as Node))

/** The names that a declaration introduces, if it declares values. */
function declaredNames(declaration: Node): string[] {
  if (declaration.type === 'VariableDeclaration')
    return (declaration.declarations as { id: Node }[]).map(({ id }) => nameOf(id))
  if (['FunctionDeclaration', 'TSDeclareFunction', 'ClassDeclaration'].includes(declaration.type))
    return [nameOf(declaration.id)]
  return []
}

/** What stands behind a name of a file, exported or not. */
function lookUp(file: string, name: string): Exported | null {
  const { body, documented } = parse(file)
  for (const statement of body) {
    const declaration = (statement.declaration as Node | null | undefined) ?? statement
    if (declaredNames(declaration).includes(name))
      return { file, isDocumented: documented.has(statement.start) }
    if (statement.type !== 'ImportDeclaration') continue
    for (const one of statement.specifiers as Node[]) {
      if (nameOf(one.local) !== name) continue
      const from = sourceOf(file, statement)
      if (one.type === 'ImportNamespaceSpecifier') return { namespace: from }
      return exportsOf(from).get(nameOf(one.imported)) ?? null
    }
  }
  return null
}

/** The values that a file exports. */
function exportsOf(file: string): Map<string, Exported> {
  const found = new Map<string, Exported>()
  for (const statement of parse(file).body) {
    if (statement.exportKind === 'type') continue
    if (statement.type === 'ExportAllDeclaration') {
      const from = sourceOf(file, statement)
      if (statement.exported !== null) found.set(nameOf(statement.exported), { namespace: from })
      else for (const [name, one] of exportsOf(from)) if (!found.has(name)) found.set(name, one)
    }
    if (statement.type !== 'ExportNamedDeclaration') continue
    const declaration = statement.declaration as Node | null
    const specifiers = (statement.specifiers as Node[]).filter((one) => one.exportKind !== 'type')
    const names = declaration === null ? [] : declaredNames(declaration).map((name) => [name, name])
    for (const one of specifiers) names.push([nameOf(one.local), nameOf(one.exported)])
    for (const [local, exported] of names) {
      const one =
        statement.source == null ? lookUp(file, local) : exportsOf(sourceOf(file, statement)).get(local)
      if (one != null) found.set(exported, one)
    }
  }
  return found
}

/** All public values, with those of namespaces, and the functions that are methods of Tensor. */
export function publicNames(): PublicName[] {
  const result: PublicName[] = []
  const add = (prefix: string, exported: Map<string, Exported>): void => {
    for (const [name, one] of exported)
      if ('namespace' in one) add(`${prefix}${name}.`, exportsOf(one.namespace))
      else result.push({ name: prefix + name, ...one, file: relative(root, one.file) })
  }
  add('', exportsOf(resolve(root, 'src/public.ts')))
  add('Tensor.', exportsOf(resolve(root, 'src/ops/tensor-functions.ts')))
  return result
}
