// The parts of a shader, and how they become WGSL: alone, or several times in one shader that does the work of as many
// dispatches. What the parts say: render.ts.

/** A shader in parts. */
export interface ShaderText {
  /** Words of its parameter block. */
  readonly words: number
  /** For each memory the WGSL type of its words, and whether it is written to. */
  readonly memories: readonly { readonly word: string; readonly written: boolean }[]
  /** Declarations of workgroup memory, and helper functions. */
  readonly declarations: readonly string[]
  /** Invocations of a workgroup. */
  readonly size: number
  /** Whether the statements use `lane` and `lanes`, the place in the subgroup and its size. */
  readonly subgroups: boolean
  /** Whether the type f16 is used. */
  readonly f16: boolean
  /** The statements: they read `params` and the arrays `x0`, `x1` ... */
  readonly body: string
}

/** Parameter blocks start at multiples of this, in bytes, which every device allows. */
export const BLOCK_ALIGNMENT = 256

const vectorsOf = (words: number): number => Math.ceil(words / 4)

/** Vectors of the uniform array from one parameter block to the next. */
const strideOf = (words: number): number => (Math.ceil((words * 4) / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT) / 16

/** Bytes of the parameter blocks of so many pieces. */
export function blockBytes(words: number, pieces: number): number {
  return Math.max(16, 16 * ((pieces - 1) * strideOf(words) + vectorsOf(words)))
}

/**
 * The shader. With several pieces, the workgroups of layer z do the work of dispatch number z, whose parameter block and
 * memories follow those of the one before.
 */
export function assemble(text: ShaderText, pieces = 1): string {
  const { words, memories, declarations, size, body } = text
  const count = memories.length
  const lines = [
    ...(text.f16 ? ['enable f16;'] : []),
    ...(text.subgroups ? ['enable subgroups;'] : []),
    `@group(0) @binding(0) var<uniform> params: array<vec4<i32>, ${blockBytes(words, pieces) / 16}>;`,
  ]
  for (let piece = 0; piece < pieces; piece++)
    memories.forEach(({ word, written }, m) => {
      const number = piece * count + m
      lines.push(
        `@group(0) @binding(${number + 1}) var<storage, ${written ? 'read_write' : 'read'}> x${number}: array<${word}>;`,
      )
    })
  lines.push(...declarations)
  const inputs = [
    ['workgroup_id', 'group', 'vec3<u32>'],
    ['local_invocation_id', 'local', 'vec3<u32>'],
    ...(text.subgroups
      ? [
          ['subgroup_invocation_id', 'lane', 'u32'],
          ['subgroup_size', 'lanes', 'u32'],
        ]
      : []),
  ]
  const named = inputs.map(([builtin, name, type]) => `@builtin(${builtin}) ${name}: ${type}`)
  const main = [`@compute @workgroup_size(${size})`, `fn main(${named.join(', ')}) {`]
  const given = inputs.map(([, name]) => name).join(', ')
  const taken = inputs.map(([, name, type]) => `${name}: ${type}`).join(', ')
  if (pieces === 1) lines.push(...main, body, '}', '')
  else {
    for (let piece = 0; piece < pieces; piece++)
      lines.push(`fn piece${piece}(${taken}) {`, pieceOf(text, piece), '}')
    const cases = Array.from({ length: pieces - 1 }, (_, p) => `    case ${p}u: { piece${p}(${given}); }`)
    lines.push(...main, '  switch (group.z) {', ...cases)
    lines.push(`    default: { piece${pieces - 1}(${given}); }`, '  }', '}', '')
  }
  return lines.join('\n')
}

/** The statements with the parameter block and the memories of one of the pieces. */
function pieceOf({ words, memories, body }: ShaderText, piece: number): string {
  const [firstVector, firstMemory] = [piece * strideOf(words), piece * memories.length]
  return body
    .replace(/\bparams\[(\d+)\]/g, (_, vector: string) => `params[${Number(vector) + firstVector}]`)
    .replace(/\bx(\d+)\[/g, (_, memory: string) => `x${Number(memory) + firstMemory}[`)
}
