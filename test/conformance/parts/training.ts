// The part `training`: whole runs from a seed, rewritten in TypeScript, loss by loss.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Case, Mismatch, type Part, Unsupported } from '../case.ts'
import { close, compare, type Tolerance } from '../compare.ts'
import { decode, decodeDType, decodeFloat, type Json, target } from '../decode.ts'
import { namesIn } from '../files.ts'
import { type Tensor, torch } from '../library.ts'
import type { Run } from '../training/run.ts'

const runs: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  a_line: () => import('../training/a-line.ts'),
  b_my_mlp: () => import('../training/b-my-mlp.ts'),
  b_my_mlp_relu: () => import('../training/b-my-mlp.ts'),
  c_digits_mlp: () => import('../training/c-digits-mlp.ts'),
  d_digits_cnn: () => import('../training/d-digits-cnn.ts'),
  e_char_lstm: () => import('../training/e-char-lstm.ts'),
  f_transformer: () => import('../training/f-transformer.ts'),
  f_transformer_no_dropout: () => import('../training/f-transformer.ts'),
  g_fine_tuning: () => import('../training/g-fine-tuning.ts'),
}

/** What of torch.nn and torch.optim a run cannot do without. */
const needs: Readonly<Record<string, readonly string[]>> = {
  e_char_lstm: ['LSTM', 'Embedding'],
  f_transformer: ['TransformerEncoder', 'AdamW'],
  f_transformer_no_dropout: ['TransformerEncoder', 'AdamW'],
}

interface Recorded {
  name: string
  dtype: string
  seed: number
  config: { [key: string]: Json }
  initial: Json
  losses: Json[]
  final: { $odict: [string, Json][] }
  evaluation: { [key: string]: Json }
  sensitivity: { losses: { $f: Json }; final: { [key: string]: { $f: Json } } }
  base_state?: Json
}

export const part: Part = {
  async *cases(folder, only) {
    for (const file of namesIn(folder, '.json')) {
      const name = file.split('.')[0]
      if (file === 'index' || !only(name)) continue
      yield { name, id: file, run: () => runTraining(folder, file) } satisfies Case
    }
  },
}

async function runTraining(folder: string, file: string): Promise<void> {
  const recorded = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8')) as Recorded
  const { name, dtype, config } = recorded
  const { type } = torch.device(target.device)
  if (type !== 'cpu' && dtype === 'float64') throw new Unsupported(`${dtype} on ${target.device}`)
  const load = runs[name]
  if (load === undefined) throw new Error(`no run ${name} in test/conformance/training`)
  for (const cls of needs[name] ?? [])
    if (!(cls in torch.nn) && !(cls in torch.optim)) throw new Unsupported(cls)
  const digitsPath = join(folder, '..', '..', 'data', 'digits.csv.gz')
  if (!existsSync(digitsPath)) throw new Error(`there is no ${digitsPath}`)
  const { run } = await load()
  const before = torch.getDefaultDtype()
  torch.setDefaultDtype(decodeDType(dtype))
  try {
    const baseState =
      recorded.base_state === undefined ? undefined : (decode(recorded.base_state) as Map<string, Tensor>)
    torch.manualSeed(recorded.seed)
    const output = await run({ config, digitsPath, baseState, device: target.device })
    await check(output, recorded)
  } finally {
    torch.setDefaultDtype(before)
  }
}

async function check(output: Awaited<ReturnType<Run>>, recorded: Recorded): Promise<void> {
  const double = recorded.dtype === 'float64'
  const relative = double ? 1e-9 : 1e-4
  const sensitivity = decodeFloat(recorded.sensitivity.losses.$f)

  // A wrong initialisation first: it would show in every loss.
  const start = double ? 1e-14 : 1e-6
  await compare(output.initial, recorded.initial, { rtol: start, atol: 0, ofLargest: start }, 'initial')
  if (output.losses.length !== recorded.losses.length)
    throw new Mismatch(`expected ${recorded.losses.length} losses, got ${output.losses.length}`)
  for (const [step, json] of recorded.losses.entries()) {
    const expected = decode(json) as number
    const tolerance = Math.max(relative * Math.abs(expected), 100 * sensitivity)
    if (!close(output.losses[step], expected, { rtol: 0, atol: tolerance }))
      throw new Mismatch(
        `losses[${step}]: expected ${expected}, got ${output.losses[step]} (tolerance ${tolerance})`,
      )
  }
  const expectedKeys = recorded.final.$odict.map(([key]) => key)
  const keys = [...output.final.keys()]
  if (keys.join() !== expectedKeys.join())
    throw new Mismatch(`final: expected keys ${expectedKeys}, got ${keys}`)
  for (const [key, value] of recorded.final.$odict) {
    const atol = 100 * decodeFloat(recorded.sensitivity.final[key].$f)
    const tolerance: Tolerance = { rtol: 0, atol, ofLargest: relative }
    await compare(output.final.get(key), value, tolerance, `final.${key}`)
  }
  const loose = double ? 1e-7 : 1e-3
  for (const [key, value] of Object.entries(recorded.evaluation))
    await compare(
      output.evaluation[key],
      value,
      { rtol: 0, atol: 1e-6, ofLargest: loose },
      `evaluation.${key}`,
    )
}
