// Compiled kernels against the interpreter, on random shapes, strides and dtypes.

import { describe, expect, test } from 'vitest'
import { checkLaunches } from '../support/checking-backend.ts'
import { everyDType, Random, tenOps } from '../support/ten-ops.ts'

describe('a compiled kernel computes what the interpreter computes', () => {
  for (const [name, run] of Object.entries(tenOps))
    test(name, () => {
      const r = new Random(12345)
      const { launches, differences } = checkLaunches(() => {
        for (let i = 0; i < 60; i++) run(r, everyDType)
      })
      expect(launches.length).toBeGreaterThanOrEqual(60)
      expect(differences).toEqual([])
    })
})
