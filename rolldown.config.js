// The bundle: one ES module for Node and browsers, with what is loaded on demand in files beside it.

import { builtinModules } from 'node:module'
import { defineConfig } from 'rolldown'

export default defineConfig({
  input: 'src/index.ts',
  // Node's own modules are imported dynamically, where they are needed; nothing else stays outside.
  external: [/^node:/, ...builtinModules],
  platform: 'neutral',
  output: {
    dir: 'dist',
    format: 'esm',
    sourcemap: true,
    // The documentation of functions is in the declarations; without it the module loads a fifth faster.
    comments: { legal: true, annotation: true, jsdoc: false },
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    cleanDir: true,
    // Less text to parse makes the import faster. Names stay: models print the names of their classes.
    minify: {
      compress: true,
      mangle: { toplevel: false, keepNames: true },
      codegen: { removeWhitespace: true },
    },
  },
})
