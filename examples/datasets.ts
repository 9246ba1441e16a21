// The data that the examples learn from: handwritten digits, and this project's own documentation as a text.

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as torch from '../src/index.ts'

/** Images (n x 1 x 8 x 8, 0 to 1) and labels (n, int64) of the data set; examples/data/README.md says where it is from. */
export function loadDigits(): [images: torch.Tensor, labels: torch.Tensor] {
  const rows = gunzipSync(readFileSync(new URL('./data/digits.csv.gz', import.meta.url)))
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number))
  const images = torch.tensor(
    rows.map((row) => row.slice(0, 64)),
    { dtype: torch.float32 },
  )
  return [images.div(16).view(-1, 1, 8, 8), torch.tensor(rows.map((row) => row[64]))]
}

/** A text as numbers, one for each character. */
export interface Corpus {
  /** The distinct characters; a character's number is its place among them. */
  readonly characters: readonly string[]
  /** The text, int64. */
  readonly tokens: torch.Tensor
  encode(text: string): torch.Tensor
  decode(tokens: torch.Tensor): string
}

/** The architecture page of the documentation. */
export function loadText(): Corpus {
  const text = readFileSync(new URL('../docs/architecture.md', import.meta.url), 'utf8')
  const characters = [...new Set(text)].sort()
  const numbers = new Map(characters.map((character, i) => [character, i]))
  const encode = (part: string) => torch.tensor(Array.from(part, (character) => numbers.get(character)!))
  return {
    characters,
    tokens: encode(text),
    encode,
    decode: (tokens) => (tokens.view(-1).tolist() as number[]).map((token) => characters[token]).join(''),
  }
}

/** `count` random windows of a text: `length` characters each, and the same moved on by one, which are to be predicted. */
export function randomWindows(
  tokens: torch.Tensor,
  count: number,
  length: number,
): [inputs: torch.Tensor, targets: torch.Tensor] {
  const starts = torch.randint(0, tokens.size(0) - length - 1, [count]).tolist() as number[]
  const windows = (offset: number) => torch.stack(starts.map((at) => tokens.narrow(0, at + offset, length)))
  return [windows(0), windows(1)]
}
