// Event files for TensorBoard, read back record by record with a reader of its own (test/support/event-reader.ts).

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { afterAll, beforeEach, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { Fields, readRecords } from '../support/event-reader.ts'

const { SummaryWriter } = torch.utils.tensorboard
const parent = mkdtempSync(join(tmpdir(), 'antorcha-events-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(parent, 'run-'))
})

/** All events of the one event file in a folder. */
function events(from = folder): Fields[] {
  const files = readdirSync(from).filter((name) => name.startsWith('events.out.tfevents.'))
  expect(files).toHaveLength(1)
  return readRecords(readFileSync(join(from, files[0]))).map((data) => new Fields(data))
}

/** The value of a summary event. */
const valueOf = (event: Fields): Fields => event.message(5).message(1)

test('a file begins with its version; scalars have tag, step, time and value', () => {
  const writer = new SummaryWriter(folder)
  writer.addScalar('loss/train', 0.25, 3, { walltime: 1234.5 })
  writer.addScalar('loss/train', torch.tensor([0.125]), 2 ** 40)
  writer.close()
  const [version, first, second] = events()
  expect(version.text(3)).toBe('brain.Event:2')
  expect(version.double(1)).toBeGreaterThan(1.5e9)
  expect([first.double(1), first.integer(2)]).toEqual([1234.5, 3])
  expect([valueOf(first).text(1), valueOf(first).float(2)]).toEqual(['loss/train', 0.25])
  expect([second.integer(2), valueOf(second).float(2)]).toEqual([2 ** 40, 0.125])
})

test('several scalars of one plot are runs of their own', () => {
  const writer = new SummaryWriter(folder)
  writer.addScalars('loss/all', { train: 1, test: 2 }, 7)
  writer.close()
  for (const [name, value] of [['train', 1] as const, ['test', 2] as const]) {
    const [, event] = events(join(folder, `loss_all_${name}`))
    expect([event.integer(2), valueOf(event).text(1), valueOf(event).float(2)]).toEqual([
      7,
      'loss/all',
      value,
    ])
  }
})

test('a histogram has the count, the moments and the buckets that hold values', () => {
  const writer = new SummaryWriter(folder)
  writer.addHistogram('weights', torch.tensor([1, 2, 2.5, 4]), 1, { bins: [0, 1, 2, 3, 4, 5] })
  writer.addHistogram('weights', torch.tensor([-1.5, 0, 3]), 2)
  writer.addHistogram('weights', [1, 2, 3, 4], 3, { bins: 2 })
  writer.close()
  const [, chosen, usual, equal] = events().map((event) => (event.has(5) ? valueOf(event).message(5) : event))
  expect([1, 2, 3, 4, 5].map((field) => chosen.double(field))).toEqual([1, 4, 4, 9.5, 1 + 4 + 6.25 + 16])
  expect([chosen.doubles(6), chosen.doubles(7)]).toEqual([
    [1, 2, 3, 4, 5],
    [0, 1, 2, 0, 1],
  ])
  expect(usual.doubles(6)).toHaveLength(usual.doubles(7).length)
  expect(usual.doubles(7).reduce((a, b) => a + b)).toBe(3)
  expect(usual.doubles(6)[0]).toBeLessThanOrEqual(-1.5)
  expect(usual.doubles(6).at(-1)).toBeGreaterThan(3)
  expect([equal.doubles(6), equal.doubles(7)]).toEqual([
    [1, 2.5, 4],
    [0, 2, 2],
  ])
})

test('a text is a tensor of one string for the plugin of texts', () => {
  const writer = new SummaryWriter(folder)
  writer.addText('notes', '**año** 1', 4)
  writer.close()
  const value = valueOf(events()[1])
  expect(value.text(1)).toBe('notes/text_summary')
  expect(value.message(9).message(1).text(1)).toBe('text')
  expect([value.message(8).integer(1), value.message(8).text(8)]).toEqual([7, '**año** 1'])
})

test('an image is a PNG file of its pixels', () => {
  const writer = new SummaryWriter(folder)
  writer.addImage(
    'grey',
    torch.tensor([
      [
        [0, 0.5, 1.5],
        [0.25, -1, 1],
      ],
    ]),
    0,
  )
  writer.addImage('colour', torch.tensor([[[255, 0, 7]]], { dtype: torch.uint8 }), 0, { dataformats: 'HWC' })
  writer.close()
  const [grey, colour] = events()
    .slice(1)
    .map((event) => valueOf(event).message(4))
  expect([1, 2, 3].map((field) => grey.integer(field))).toEqual([2, 3, 1])
  expect([1, 2, 3].map((field) => colour.integer(field))).toEqual([1, 1, 3])
  // The length of a PNG's IDAT chunk is at byte 33, its content at 41.
  const rows = (png: Uint8Array) => {
    const length = new DataView(png.buffer, png.byteOffset).getUint32(33)
    return [...inflateSync(png.subarray(41, 41 + length))]
  }
  expect(rows(grey.bytes(4))).toEqual([0, 0, 127, 255, 0, 63, 0, 255])
  expect(rows(colour.bytes(4))).toEqual([0, 255, 0, 7])
})

test('a graph has the operations of a call in boxes by module, with their parameters', () => {
  const { nn } = torch
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1))
  const writer = new SummaryWriter(folder)
  writer.addGraph(model, torch.ones(4, 2))
  writer.close()
  const nodes = new Fields(events()[1].bytes(4)).all(1).map((bytes) => {
    const node = new Fields(bytes)
    return {
      name: node.text(1),
      op: node.text(2),
      inputs: node.all(3).map((text) => new TextDecoder().decode(text)),
    }
  })
  const relu = nodes.find(({ op }) => op === 'Relu')
  expect(relu).toEqual({ name: 'Sequential/1/Relu', op: 'Relu', inputs: ['Sequential/0/Addmm'] })
  const parameters = nodes.filter(({ op }) => op === 'Parameter').map(({ name }) => name)
  expect(parameters.toSorted()).toEqual([
    'Sequential/0/bias',
    'Sequential/0/weight',
    'Sequential/2/bias',
    'Sequential/2/weight',
  ])
  const names = new Set(nodes.map(({ name }) => name))
  expect(names.size).toBe(nodes.length)
  expect(nodes.flatMap(({ inputs }) => inputs).every((input) => names.has(input))).toBe(true)
  expect([...model.modules()].every((module) => module.training)).toBe(true)
})

test('hyperparameters are a run with its metrics', () => {
  const writer = new SummaryWriter(folder)
  writer.addHparams({ lr: 0.1, optimizer: 'adam', bias: true }, { 'hparam/loss': 0.5 }, { runName: 'one' })
  writer.close()
  const [experiment, start, end, metric] = events(join(folder, 'one')).slice(1).map(valueOf)
  expect([experiment, start, end].map((value) => value.text(1))).toEqual([
    '_hparams_/experiment',
    '_hparams_/session_start_info',
    '_hparams_/session_end_info',
  ])
  const content = (value: Fields) => value.message(9).message(1).message(2)
  expect(experiment.message(9).message(1).text(1)).toBe('hparams')
  const infos = content(experiment).message(2)
  expect(infos.all(4).map((info) => [new Fields(info).text(1), new Fields(info).integer(4)])).toEqual([
    ['lr', 3],
    ['optimizer', 1],
    ['bias', 2],
  ])
  expect(infos.message(5).message(1).text(2)).toBe('hparam/loss')
  const values = content(start)
    .message(3)
    .all(1)
    .map((entry) => new Fields(entry).message(2))
  expect([values[0].double(2), values[1].text(3), values[2].integer(4)]).toEqual([0.1, 'adam', 1])
  expect(content(end).message(4).integer(1)).toBe(1)
  expect(metric.float(2)).toBe(0.5)
})

test('a flush is enough for a reader; closing twice is no error, adding afterwards begins a new file', () => {
  const writer = new SummaryWriter(folder)
  writer.addScalar('a', 1)
  writer.flush()
  expect(events()).toHaveLength(2)
  writer.close()
  writer.close()
  writer.addScalar('a', 2)
  writer.close()
  expect(readdirSync(folder)).toHaveLength(2)
})

test('what cannot be written is refused, and nothing is added', () => {
  const writer = new SummaryWriter(folder)
  expect(() => writer.addScalar('a', torch.ones(2))).toThrow(/one element/)
  expect(() => writer.addScalar('a', 1, 0.5)).toThrow(/whole number/)
  expect(() => writer.addHistogram('a', [])).toThrow(/no element/)
  expect(() => writer.addHistogram('a', [1], 0, { bins: [2, 1] })).toThrow(/ascending/)
  expect(() => writer.addImage('a', torch.ones(2, 4, 4))).toThrow(/1, 3 or 4 channels/)
  expect(() => writer.addImage('a', torch.ones(4, 4))).toThrow(/3 dimensions/)
  expect(() => writer.addGraph(new torch.nn.ReLU(), torch.ones(1))).toThrow(/recorded nothing/)
  writer.close()
  expect(events()).toHaveLength(1)
})
