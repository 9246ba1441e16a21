// The bundle: one ES module for Node and browsers, with what is loaded on demand in files beside it.

import { builtinModules } from 'node:module'
import { defineConfig } from 'rolldown'

// Node's own modules are imported dynamically, where they are needed; nothing else stays outside.
const external = [/^node:/, ...builtinModules]

const output = {
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  // The documentation of functions is in the declarations; without it the module loads a fifth faster.
  comments: { legal: true, annotation: true, jsdoc: false },
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  // Less text to parse makes the import faster. Names stay: models print the names of their classes.
  minify: {
    compress: true,
    mangle: { toplevel: false, keepNames: true },
    codegen: { removeWhitespace: true },
  },
}

/** The command line has no copy of the library: it imports the bundle beside it. */
const libraryBeside = {
  name: 'library-beside',
  resolveId: (source) => (source === '../index.ts' ? { id: './index.js', external: 'absolute' } : null),
}

export default defineConfig([
  { input: 'src/index.ts', external, platform: 'neutral', output: { ...output, cleanDir: true } },
  {
    input: { cli: 'src/cli/bin.ts' },
    external,
    platform: 'neutral',
    plugins: [libraryBeside],
    output: { ...output, banner: '#!/usr/bin/env node' },
  },
])
