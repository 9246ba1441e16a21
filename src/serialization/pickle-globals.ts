// The names that a checkpoint's pickle may use, in one Map: what is not in it does not exist for the unpickler, and nothing
// in it runs anything but the few lines below. Tensors are rebuilt in rebuild.ts.

import { type Device, device } from '../core/device.ts'
import { makeSize } from '../core/shape.ts'
import { numpyGlobals } from './numpy-objects.ts'
import {
  Complex,
  FrozenSet,
  OrderedDict,
  PickleGlobal,
  pythonTypeName,
  type UnpicklingContext,
} from './python-objects.ts'
import { rebuildFunctions } from './rebuild.ts'
import { pytorchDtypeNames, storageTypesByClass, supportedDtype } from './storage-types.ts'

type Call = (args: readonly unknown[], context: UnpicklingContext) => unknown

const allowed = new Map<string, PickleGlobal>()
const refused = new Map<string, string>()

/** Modules of which PyTorch allows nothing, whatever the user says. */
const blockedModules: ReadonlySet<string> = new Set(['sys', 'os', 'posix', 'nt'])

// Protocol 2 writes Python 2's names.
const renamedModules: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['copy_reg', 'copyreg'],
])

function allowClass(fullName: string, call: Call): void {
  allowed.set(fullName, new PickleGlobal(fullName, call, true))
}

/** Finds what a name stands for beyond the table, by its full name. */
export type ExtraGlobals = (fullName: string) => PickleGlobal | undefined

/**
 * What a name stands for: a PickleGlobal, or the dtype of that name. Throws a plain Error for every name that is neither in
 * the table nor known to `extra`, with PyTorch's text.
 */
export function findGlobal(moduleName: string, name: string, extra?: ExtraGlobals): unknown {
  const module = renamedModules.get(moduleName) ?? moduleName
  const fullName = `${module}.${name}`
  if (blockedModules.has(module))
    throw new Error(
      `Trying to load unsupported GLOBAL ${fullName} whose module ${module} is blocked. The file asks for a call into the operating system: do not trust it`,
    )
  const known = allowed.get(fullName) ?? extra?.(fullName)
  if (known !== undefined) return known
  const reason = refused.get(fullName)
  if (reason !== undefined) throw new Error(reason)
  if (module === 'torch' && dtypeNames.has(name)) return supportedDtype(name)
  const shown = module === 'builtins' ? name : fullName
  const advice =
    fullName.startsWith('torch.nn.modules.') && extra === undefined
      ? 'The file holds a whole module. Pass { weightsOnly: false } to load modules of the classes of torch.nn, which runs no code; or'
      : 'Only tensors, parameters and plain Python values can be loaded, and no code ever is:'
  throw new Error(
    `Unsupported global: GLOBAL ${shown} was not an allowed global by default. ${advice} in Python, save model.state_dict() and plain values instead`,
  )
}

const dtypeNames: ReadonlySet<string> = new Set(pytorchDtypeNames)

for (const { className, dtypeName, itemsize } of storageTypesByClass.values())
  allowed.set(
    `torch.${className}`,
    new PickleGlobal(`torch.${className}`, notCallable, true, { dtypeName, itemsize }),
  )
for (const fullName of ['torch.storage.UntypedStorage', 'torch.UntypedStorage'])
  allowed.set(fullName, new PickleGlobal(fullName, notCallable, true, { dtypeName: 'uint8', itemsize: 1 }))
allowed.set('torch.Tensor', new PickleGlobal('torch.Tensor', notCallable, true))
for (const { name, call } of rebuildFunctions) allowed.set(name, new PickleGlobal(name, call, false))
for (const { name, call, isClass } of numpyGlobals) allowed.set(name, new PickleGlobal(name, call, isClass))
allowClass('torch.nn.parameter.Parameter', (args, context) => {
  if (args.length < 1 || args.length > 2 || !context.tensors.isTensor(args[0]))
    throw new Error('Parameter() needs a tensor')
  return context.tensors.parameter(args[0] as object, args[1] !== false)
})

const sparse = 'sparse tensors are not supported: save tensor.to_dense() instead'
refused.set('torch._utils._rebuild_sparse_tensor', sparse)
refused.set('torch._utils._rebuild_sparse_csr_tensor', sparse)
refused.set('torch.serialization._get_layout', sparse)
refused.set(
  'torch._utils._rebuild_qtensor',
  'quantized tensors are not supported: save tensor.dequantize() instead',
)
refused.set(
  'torch._utils._rebuild_nested_tensor',
  'nested tensors are not supported: save their parts (tensor.unbind()) instead',
)
refused.set(
  'torch._utils._rebuild_meta_tensor_no_storage',
  'the file holds a tensor on the device "meta", which has no data',
)

function notCallable(): never {
  throw new Error('this class cannot be called')
}

/** The items of the one iterable argument of a container's constructor; none without an argument. */
function itemsOf(args: readonly unknown[], context: UnpicklingContext): readonly unknown[] {
  if (args.length === 0) return []
  const [items] = args
  if (args.length > 1 || !(Array.isArray(items) || items instanceof Set))
    throw new Error(`expected one list, tuple or set, but got (${args.map(pythonTypeName).join(', ')})`)
  context.spend(Array.isArray(items) ? items.length : items.size)
  return Array.isArray(items) ? items : [...items]
}

function pairsOf(args: readonly unknown[], context: UnpicklingContext): Iterable<[unknown, unknown]> {
  const [source] = args
  if (args.length === 1 && source instanceof Map) {
    context.spend(source.size)
    return source
  }
  return itemsOf(args, context).map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new Error(`expected pairs of key and value, but got ${pythonTypeName(pair)}`)
    context.checkHashable(pair[0])
    return pair as [unknown, unknown]
  })
}

allowClass('collections.OrderedDict', (args, context) => {
  const result = new OrderedDict()
  for (const [key, value] of pairsOf(args, context)) result.set(key, value)
  return result
})

allowClass('collections.Counter', (args, context) => new Map(pairsOf(args, context)))

allowClass('builtins.set', (args, context) => {
  const items = itemsOf(args, context)
  items.forEach(context.checkHashable, context)
  return new Set(items)
})

allowClass('builtins.frozenset', (args, context) => {
  const items = itemsOf(args, context)
  items.forEach(context.checkHashable, context)
  return new FrozenSet(items)
})

allowClass('builtins.complex', (args) => {
  if (args.length !== 2 || typeof args[0] !== 'number' || typeof args[1] !== 'number')
    throw new Error('complex() needs two numbers')
  return new Complex(args[0], args[1])
})

allowClass('builtins.bytearray', bytes)
allowClass('builtins.bytes', bytes)

function bytes(args: readonly unknown[], context: UnpicklingContext): Uint8Array {
  const [source] = args
  if (args.length === 0) return new Uint8Array(0)
  if (args.length === 1 && source instanceof Uint8Array) {
    context.spend(source.length)
    return source.slice()
  }
  return encode(args, context)
}

allowed.set('_codecs.encode', new PickleGlobal('_codecs.encode', encode, false))

/** How protocol 2 writes bytes: as a string of the characters 0 to 255. */
function encode(args: readonly unknown[], context: UnpicklingContext): Uint8Array {
  const [text, encoding] = args
  if (args.length !== 2 || typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1'))
    throw new Error('encode() needs a string and the encoding latin1')
  context.spend(text.length)
  const result = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255) throw new Error(`the character at ${i} is not in latin1`)
    result[i] = code
  }
  return result
}

allowClass('torch.Size', (args, context) => {
  const sizes = itemsOf(args, context)
  if (!sizes.every((n) => Number.isSafeInteger(n)))
    throw new Error(`torch.Size() needs whole numbers, but got (${sizes.map(pythonTypeName).join(', ')})`)
  return makeSize(sizes as number[])
})

allowClass('torch.device', (args): Device => {
  const [name, index] = args
  if (typeof name !== 'string' || (index !== undefined && !Number.isSafeInteger(index)))
    throw new Error('torch.device() needs a name and an index')
  return device(name, index as number | undefined)
})
