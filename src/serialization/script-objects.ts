// The weights in a TorchScript archive (torch.jit.save): its objects hold tensors and other objects under their attributes'
// names, which become a state dict. The program beside them is never looked at.

import { BuildableObject, OrderedDict, PickleGlobal, type UnpicklingContext } from './python-objects.ts'

/** The tensors of a scripted module by name, those of its children with prefixes. */
export class ScriptWeights extends OrderedDict<string, object> {}

/** A scripted module between NEWOBJ and BUILD. */
class PickledScriptObject extends BuildableObject {
  override build(state: unknown, context: UnpicklingContext): ScriptWeights {
    if (!(state instanceof Map)) throw new Error('the state of a TorchScript object must be a dict')
    const weights = new ScriptWeights()
    for (const [name, value] of state) {
      if (typeof name !== 'string') throw new Error('attributes of TorchScript objects must have names')
      if (context.tensors.isTensor(value)) weights.set(name, value as object)
      else if (value instanceof ScriptWeights) {
        // A file could name one child many times over on every level.
        context.spend(value.size)
        for (const [inner, tensor] of value) weights.set(`${name}.${inner}`, tensor)
      }
    }
    return weights
  }
}

const scriptObject = new PickleGlobal('__torch__', () => new PickledScriptObject(), true)

/** Typed lists and tagged values, of which only the value matters. */
const firstArgument = (args: readonly unknown[]): unknown => args[0] ?? null

const helpers: ReadonlyMap<string, PickleGlobal> = new Map(
  ['build_intlist', 'build_tensorlist', 'build_doublelist', 'build_boollist', 'restore_type_tag'].map(
    (name) => {
      const fullName = `torch.jit._pickle.${name}`
      return [fullName, new PickleGlobal(fullName, firstArgument, false)]
    },
  ),
)

/** The names that the pickle of a TorchScript archive may use besides those in pickle-globals.ts. */
export function findScriptGlobal(fullName: string): PickleGlobal | undefined {
  return fullName.startsWith('__torch__.') ? scriptObject : helpers.get(fullName)
}
