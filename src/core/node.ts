// Node's own modules, asked for when they are needed: nothing imports them, so that browsers can load every file.

/**
 * One of Node's modules, such as `node:fs`, or undefined where there is none: in browsers, and in Node before 20.16 and
 * 22.3.
 */
export function nodeModule<Module>(name: string): Module | undefined {
  const get = globalThis.process?.getBuiltinModule as ((name: string) => unknown) | undefined
  return typeof get === 'function' ? (get(name) as Module | undefined) : undefined
}
