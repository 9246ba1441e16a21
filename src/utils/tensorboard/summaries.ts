// The messages of single records in an event file: scalars, histograms, texts, images, hyperparameters. The field numbers
// are those of TensorBoard's summary.proto, tensor.proto and plugins/hparams/api.proto.

import { ValueError } from '../../core/errors.ts'
import { Message } from './protobuf.ts'

/** A summary of one value under a tag. */
function summary(tag: string, fill: (value: Message) => Message): Message {
  return new Message().message(1, fill(new Message().string(1, tag)))
}

/** What tells TensorBoard which of its plugins shows a value. */
function metadata(plugin: string, content: Message = new Message()): Message {
  return new Message().message(1, new Message().string(1, plugin).message(2, content))
}

export function scalarSummary(tag: string, value: number): Message {
  return summary(tag, (message) => message.float(2, value))
}

export function textSummary(tag: string, text: string): Message {
  const shape = new Message().message(2, new Message().integer(1, 1))
  const stringType = 7
  const tensor = new Message().integer(1, stringType).message(2, shape).string(8, text)
  return summary(`${tag}/text_summary`, (message) => message.message(9, metadata('text')).message(8, tensor))
}

/** An image as the bytes of a PNG file. */
export function imageSummary(
  tag: string,
  image: { height: number; width: number; channels: number; png: Uint8Array },
): Message {
  const { height, width, channels, png } = image
  const content = new Message().integer(1, height).integer(2, width).integer(3, channels).bytes(4, png)
  return summary(tag, (message) => message.message(4, content))
}

/** The edges of buckets from -1e20 to 1e20, each 10 % farther from 0 than the one before: TensorFlow's. */
export function defaultEdges(): number[] {
  const positive: number[] = []
  for (let edge = 1e-12; edge < 1e20; edge *= 1.1) positive.push(edge)
  return [...positive.map((edge) => -edge).reverse(), 0, ...positive]
}

/** `count` buckets of equal width from the least to the greatest value. */
export function equalEdges(values: ArrayLike<number>, count: number): number[] {
  const [least, greatest] = range(values)
  const from = least === greatest ? least - 0.5 : least
  const to = least === greatest ? greatest + 0.5 : greatest
  return Array.from({ length: count + 1 }, (_, i) => from + ((to - from) * i) / count)
}

function range(values: ArrayLike<number>): [least: number, greatest: number] {
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    least = Math.min(least, values[i])
    greatest = Math.max(greatest, values[i])
  }
  return [least, greatest]
}

/** The bucket from `edges[i]` up to `edges[i + 1]` that a value is in; -1 where it is in none. */
function bucketOf(value: number, edges: readonly number[]): number {
  const last = edges.length - 1
  if (!(value >= edges[0] && value <= edges[last])) return -1
  let low = 0
  let high = last
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (value >= edges[middle]) low = middle
    else high = middle
  }
  return low
}

/** A histogram with buckets between ascending edges; empty ones at both ends are left out. */
export function histogramSummary(tag: string, values: ArrayLike<number>, edges: readonly number[]): Message {
  if (values.length === 0) throw new ValueError(`addHistogram(): '${tag}' has no element`)
  const counts = new Array<number>(edges.length - 1).fill(0)
  let sum = 0
  let squares = 0
  for (let i = 0; i < values.length; i++) {
    const bucket = bucketOf(values[i], edges)
    if (bucket >= 0) counts[bucket]++
    sum += values[i]
    squares += values[i] ** 2
  }
  const first = counts.findIndex((count) => count > 0)
  const last = counts.findLastIndex((count) => count > 0)
  // Buckets are written with their right edges: an empty one before the first says where that begins.
  const limits = first < 0 ? [edges[0]] : edges.slice(first, last + 2)
  const filled = first < 0 ? [0] : [0, ...counts.slice(first, last + 1)]
  const [least, greatest] = range(values)
  const histogram = new Message()
    .double(1, least)
    .double(2, greatest)
    .double(3, values.length)
    .double(4, sum)
    .double(5, squares)
    .doubles(6, limits)
    .doubles(7, filled)
  return summary(tag, (message) => message.message(5, histogram))
}

/** A hyperparameter's value. */
export type HyperParameter = string | number | boolean

/** The three summaries that TensorBoard's page of hyperparameters is made from. */
export function hyperParameterSummaries(
  hyperParameters: Readonly<Record<string, HyperParameter>>,
  metricTags: readonly string[],
): Message[] {
  const types = { string: 1, boolean: 2, number: 3 } as const
  const experiment = new Message()
  const start = new Message()
  for (const [name, value] of Object.entries(hyperParameters)) {
    const type = types[typeof value as keyof typeof types]
    if (type === undefined)
      throw new ValueError(`addHparams(): '${name}' must be a string, number or boolean, got ${typeof value}`)
    experiment.message(4, new Message().string(1, name).integer(4, type))
    const content = new Message()
    if (typeof value === 'number') content.double(2, value)
    else if (typeof value === 'string') content.string(3, value)
    else content.integer(4, value ? 1 : 0)
    start.message(1, new Message().string(1, name).message(2, content))
  }
  for (const tag of metricTags) experiment.message(5, new Message().message(1, new Message().string(2, tag)))
  const success = new Message().integer(1, 1)
  const parts = [
    ['experiment', 2, experiment],
    ['session_start_info', 3, start],
    ['session_end_info', 4, success],
  ] as const
  return parts.map(([name, field, content]) =>
    summary(`_hparams_/${name}`, (message) =>
      message.message(9, metadata('hparams', new Message().message(field, content))),
    ),
  )
}
