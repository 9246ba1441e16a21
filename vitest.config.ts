import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      // Machines are shared: a test that takes a second alone may take many.
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'full', include: ['test/full/**/*.test.ts'], testTimeout: 600_000 } },
    ],
  },
})
