// PyTorch's calls (name, positional arguments, keyword arguments) made by the rules of the TypeScript API: what PyTorch
// requires is positional, everything else goes into one trailing options object with camelCase keys.

import { readFileSync } from 'node:fs'
import {
  type AnyFunction,
  camelCase,
  findClass,
  findFunction,
  findMethod,
  type Metadata,
  metadataOf,
} from './library.ts'

const pythonSignatures = JSON.parse(
  readFileSync(new URL('./signatures.json', import.meta.url), 'utf8'),
) as Record<string, [string[], string[]]>

/** PyTorch's own signature of a name, in camelCase, or undefined where signatures.json lacks it. */
function pythonSignature(name: string): Metadata | undefined {
  const found = pythonSignatures[name]
  if (found === undefined) return undefined
  const [required, optional] = found
  return {
    required: required.filter((parameter) => !parameter.startsWith('*')).map(camelCase),
    optional: optional.map(camelCase),
    ...(required.some((parameter) => parameter.startsWith('*')) ? { variadic: 'sizes' } : {}),
  }
}

export type Kwargs = ReadonlyMap<string, unknown>

/** The arguments of the TypeScript call that stands for `f(*args, **kwargs)`. */
export function arrange(
  signature: Metadata | undefined,
  args: readonly unknown[],
  kwargs: Kwargs = new Map(),
): unknown[] {
  const required = signature?.required ?? []
  const names = [...required, ...(signature?.optional ?? [])]
  const positional: unknown[] = []
  const options: Record<string, unknown> = {}
  const all = signature === undefined || signature.variadic !== undefined
  args.forEach((value, i) => {
    const name = names[i]
    // The first optional argument may stay positional unless it is a boolean; so may what has no name we know of.
    const stays =
      i < required.length || name === undefined || (i === required.length && typeof value !== 'boolean')
    if (all || stays) positional.push(value)
    else options[name] = value
  })
  for (const [key, value] of kwargs) {
    const name = camelCase(key)
    const place = required.indexOf(name)
    if (place >= 0 && !all) positional[place] = value
    else options[name] = value
  }
  if (Object.keys(options).length > 0) {
    while (!all && positional.length < required.length) positional.push(undefined)
    positional.push(options)
  }
  return positional
}

/** Calls a function by its dotted name, `torch.nn.functional.conv2d`. */
export function callFunction(name: string, args: readonly unknown[], kwargs?: Kwargs): unknown {
  const f = findFunction(name)
  return f(...arrange(metadataOf(f) ?? pythonSignature(name), args, kwargs))
}

/** Calls a method by PyTorch's name. */
export function callMethod(
  receiver: object,
  name: string,
  args: readonly unknown[],
  kwargs?: Kwargs,
): unknown {
  const method = findMethod(receiver, name)
  if (name === 'to') return method(...arrangeTo(args, kwargs))
  return method(...arrange(methodSignature(method, name), args, kwargs))
}

/** PyTorch's three forms of `to`: (dtype, ...), (device, dtype, ...), (other, ...), then non_blocking and copy. */
function arrangeTo(args: readonly unknown[], kwargs?: Kwargs): unknown[] {
  const flags = args.filter((arg) => typeof arg === 'boolean')
  const [target, dtype] = args.filter((arg) => typeof arg !== 'boolean')
  const options: Record<string, unknown> = dtype === undefined ? {} : { dtype }
  for (const [i, flag] of flags.entries()) options[['nonBlocking', 'copy'][i]] = flag
  for (const [key, value] of kwargs ?? []) options[camelCase(key)] = value
  const positional = target === undefined ? [] : [target]
  return Object.keys(options).length > 0 ? [...positional, options] : positional
}

/** The parameters of a tensor's method: by its own metadata, else by those of the function of that name. */
function methodSignature(method: AnyFunction, name: string): Metadata | undefined {
  const own = metadataOf(method)
  if (own !== undefined) return own.required[0] === 'input' ? withoutReceiver(own) : own
  for (const candidate of [name, name.replace(/_$/, '')]) {
    const f = tryFind(`torch.${candidate}`)
    const metadata = metadataOf(f)
    if (metadata !== undefined) return withoutReceiver(metadata)
  }
  const python = pythonSignature(`Tensor.${name}`)
  const free = pythonSignature(`torch.${name}`) ?? pythonSignature(`torch.${name.replace(/_$/, '')}`)
  return free === undefined ? python : withoutReceiver(free)
}

function tryFind(name: string): unknown {
  try {
    return findFunction(name)
  } catch {
    return undefined
  }
}

function withoutReceiver(metadata: Metadata): Metadata {
  return { ...metadata, required: metadata.required.slice(1) }
}

/** Makes an object of a class by its dotted name, `torch.nn.Conv2d`. */
export function construct(name: string, args: readonly unknown[], kwargs?: Kwargs): unknown {
  const cls = findClass(name)
  return new cls(...arrange(metadataOf(cls) ?? pythonSignature(name), args, kwargs))
}

/** Calls a module with the arguments of its `forward`. */
export function callModule(
  module: unknown,
  className: string,
  args: readonly unknown[],
  kwargs?: Kwargs,
): unknown {
  return (module as AnyFunction)(...arrange(pythonSignature(`${className}.forward`), args, kwargs))
}
