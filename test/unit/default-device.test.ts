// The device on which tensors and layers are made where none is given. `meta` stands for a device that is not the CPU.

import { afterEach, describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

afterEach(() => torch.setDefaultDevice(null))

describe('the default device', () => {
  test('is the CPU', () => {
    expect(String(torch.getDefaultDevice())).toBe('cpu')
  })

  test('is where functions that make tensors make them', () => {
    torch.setDefaultDevice('meta')
    const made = [
      torch.zeros(2),
      torch.tensor([1]),
      torch.arange(3),
      torch.eye(2),
      torch.rand(2),
      torch.randperm(3),
      torch.trilIndices(2, 2),
      torch.hannWindow(4),
    ]
    for (const x of made) expect(String(x.device)).toBe('meta')
  })

  test('is where layers are made', () => {
    torch.setDefaultDevice('meta')
    const { nn } = torch
    const layers = new nn.ModuleList([new nn.Linear(2, 3), new nn.BatchNorm1d(3), new nn.LSTM(3, 4)])
    for (const x of layers.stateDict().values()) expect(String(x.device)).toBe('meta')
  })

  test('gives way to a device that is named, and to that of a given tensor', () => {
    torch.setDefaultDevice('meta')
    const x = torch.zeros(2, { device: 'cpu' })
    expect(String(x.device)).toBe('cpu')
    expect(String(torch.zerosLike(x).device)).toBe('cpu')
    expect(String(x.newZeros(2).device)).toBe('cpu')
  })

  test('is one that is there', () => {
    expect(() => torch.setDefaultDevice('cuda')).toThrow('there is no cuda here; use cpu, webgpu or meta')
    expect(() => torch.setDefaultDevice('gpu')).toThrow('Expected one of cpu, webgpu, meta, cuda device type')
    expect(String(torch.getDefaultDevice())).toBe('cpu')
  })
})

describe('the text of a tensor that may have to be waited for', () => {
  test('is what toString gives, where nothing has to be waited for', async () => {
    const x = new torch.nn.Parameter(torch.tensor([1.5, 2]))
    expect(await x.toStringAsync()).toBe(String(x))
    expect(await torch.zeros(2, { device: 'meta' }).toStringAsync()).toBe(
      "tensor(..., device='meta', size=(2,))",
    )
  })
})
