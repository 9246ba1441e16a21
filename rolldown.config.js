// The builds: for Node one file (with what is loaded on demand beside it), which imports fastest; for browsers every module in a file
// of its own, without the addon, so that the bundler of a page takes what the page uses.

import { builtinModules } from 'node:module'
import { dirname, relative, resolve } from 'node:path'
import { defineConfig } from 'rolldown'

// Node's own modules are imported dynamically, where they are needed; nothing else stays outside.
const external = [/^node:/, ...builtinModules]

/** Chunks that are loaded with the first tensor on a GPU. */
const onDemand = new Set(['adapter', 'engine'])

const output = {
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  // The documentation of functions is in the declarations; without it the module loads a fifth faster.
  comments: { legal: true, annotation: true, jsdoc: false },
  entryFileNames: '[name].js',
  chunkFileNames: ({ name }) => (onDemand.has(name) ? `webgpu-${name}.js` : '[name].js'),
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

/** The entries, what only the main one has, and what is loaded with the first tensor on a GPU. */
const separate =
  /\/src\/(index|tensor\/(basic-)?methods|entries\/.*|backends\/webgpu\/(?!webgpu|device|memory|node-package).*)\.ts$/

/** Modules that work in Node only. Browsers get their twins, which say so. */
const nodeOnly = {
  'backends/cpu/native.ts': 'native-absent.ts',
  'backends/cpu/native-launch.ts': 'native-absent.ts',
  'backends/cpu/native-product.ts': 'native-absent.ts',
  'backends/webgpu/node-package.ts': 'node-package-absent.ts',
  'data/worker-pool.ts': 'worker-pool-absent.ts',
  'data/worker-thread.ts': 'worker-thread-absent.ts',
  'serialization/node-files.ts': 'node-files-absent.ts',
  'utils/plot.ts': 'plot-absent.ts',
  'utils/progress-bar.ts': 'progress-bar-absent.ts',
  'utils/tensorboard/index.ts': 'index-absent.ts',
}

const source = resolve(import.meta.dirname, 'src')

const withoutNode = {
  name: 'without-node',
  resolveId(name, importer) {
    if (importer === undefined || !name.startsWith('.')) return null
    const file = resolve(dirname(importer), name)
    const twin = nodeOnly[relative(source, file).replaceAll('\\', '/')]
    return twin === undefined ? null : resolve(dirname(file), twin)
  },
}

const entries = { index: 'src/index.ts' }
for (const name of ['core', 'nn', 'functional', 'optim'])
  entries[`entries/${name}`] = `src/entries/${name}.ts`

export default defineConfig([
  {
    input: entries,
    external,
    platform: 'neutral',
    output: {
      ...output,
      cleanDir: true,
      // What the entries share is one file. All methods come with the main entry only.
      codeSplitting: { groups: [{ name: 'library', test: (id) => !separate.test(id) }] },
    },
  },
  {
    input: entries,
    external,
    platform: 'neutral',
    plugins: [withoutNode],
    output: {
      dir: 'dist/browser',
      format: 'esm',
      preserveModules: true,
      preserveModulesRoot: 'src',
      // npm leaves folders of that name out of packages.
      entryFileNames: ({ name }) => `${name.replace(/^.*node_modules\//, 'vendor/')}.js`,
      comments: { legal: true, annotation: true, jsdoc: false },
    },
  },
  {
    input: { cli: 'src/cli/bin.ts' },
    external,
    platform: 'neutral',
    plugins: [libraryBeside],
    output: { ...output, banner: '#!/usr/bin/env node' },
  },
])
