// Worker threads: the number of threads, equal results whatever it is, and processes that end by themselves.

import { afterEach, describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const initially = torch.getNumThreads()
afterEach(() => torch.setNumThreads(initially))

describe('the number of threads', () => {
  test('is at least one at first, and what was set after that', () => {
    expect(initially).toBeGreaterThanOrEqual(1)
    torch.setNumThreads(3)
    expect(torch.getNumThreads()).toBe(3)
  })

  test('must be a positive integer', () => {
    for (const n of [0, -1])
      expect(() => torch.setNumThreads(n)).toThrow('set_num_threads expects a positive integer')
    expect(() => torch.setNumThreads(1.5)).toThrow('set_num_threads expects an int, but got float')
    expect(() => torch.setNumThreads('2' as unknown as number)).toThrow(torch.RuntimeError)
    expect(torch.getNumThreads()).toBe(initially)
  })
})
