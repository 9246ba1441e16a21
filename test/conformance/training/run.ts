// What the training runs share: what a run gets and gives, the digits, copies of states.

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as torch from '../../../src/index.ts'
import type { Json } from '../decode.ts'

/** The data of a run besides its source: the numbers that went into it, and files. */
export interface RunInput {
  readonly config: Readonly<Record<string, Json>>
  /** The digits: `digits.csv.gz`, 64 pixels and the label. */
  readonly digitsPath: string
  /** Where it is trained. */
  readonly device: string
  /** Parameters to start from, where the run is given some. */
  readonly baseState?: ReadonlyMap<string, torch.Tensor>
}

/** What a run records. */
export interface RunOutput {
  readonly initial: ReadonlyMap<string, torch.Tensor>
  readonly losses: number[]
  readonly final: ReadonlyMap<string, torch.Tensor>
  readonly evaluation: Readonly<Record<string, unknown>>
}

/** One run. The default dtype and the seed are set before it is called. */
export type Run = (input: RunInput) => Promise<RunOutput>

/** Copies of the entries of a state dict. */
export function copyOf(state: Iterable<[string, torch.Tensor]>): Map<string, torch.Tensor> {
  return new Map([...state].map(([name, value]) => [name, value.detach().clone()]))
}

/** Pixels scaled to 0..1 (n x 64, of the default dtype) and labels (n, int64) of the digits from `start` to `stop`. */
export function digits(path: string, start: number, stop: number): [torch.Tensor, torch.Tensor] {
  const lines = gunzipSync(readFileSync(path)).toString().trim().split('\n').slice(start, stop)
  const rows = lines.map((line) => line.split(',').map(Number))
  const pixels = rows.map((row) => row.slice(0, 64).map((pixel) => pixel / 16))
  return [torch.tensor(pixels, { dtype: torch.getDefaultDtype() }), torch.tensor(rows.map((row) => row[64]))]
}

/** The share of rows whose largest logit is at the label. */
export async function accuracy(logits: torch.Tensor, labels: torch.Tensor): Promise<number> {
  const correct = logits.argmax(1).eq(labels).to(torch.getDefaultDtype()).mean()
  return (await correct.itemAsync()) as number
}
