// Kernels made up at random: what is compiled (to WebAssembly, and to native programs where the addon is there) writes
// what the interpreter writes, bit by bit; functions and sums to a few units in the last place.

import { expect, test } from 'vitest'
import { compareRandomKernels } from '../support/random-kernels.ts'

test('kernels of every form write what the interpreter writes, on any strides, dtypes and values', () => {
  const { differences, forms } = compareRandomKernels(1, 300)
  expect(differences).toEqual([])
  expect(forms.size).toBe(9)
})

test('a float too large for an integer becomes the largest one, wherever in a tensor it is', () => {
  const { differences } = compareRandomKernels(2, 100)
  expect(differences).toEqual([])
})
