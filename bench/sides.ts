// Which libraries take part, and how their processes are started.

import { spawnSync } from 'node:child_process'
import { libraryUrl, pytorchWorker, workerFile } from './build.ts'
import type { SideOptions } from './side.ts'

export type SideName = 'antorcha' | 'antorcha wasm' | 'PyTorch' | 'TensorFlow.js' | 'jax-js'
export type Peer = 'pytorch' | 'tfjs' | 'jax'

/** One side and how its import is timed: a program that prints milliseconds. */
export interface SideStart extends SideOptions {
  readonly name: SideName
  readonly importProgram: { readonly command: string; readonly args: readonly string[] }
}

/** What to start. */
export interface Participants {
  readonly native: 'on' | 'off' | 'both'
  readonly peers: readonly Peer[]
  readonly threads: number
  /** A folder for files that workloads write. */
  readonly files: string
}

/** The Python interpreter that has PyTorch: `PYTHON`, or `python3`. */
export const python = process.env.PYTHON ?? 'python3'

/** Why PyTorch cannot take part, or null. */
export function pytorchMissing(): string | null {
  const { status, error } = spawnSync(python, ['-c', 'import torch'], { stdio: 'ignore' })
  if (status === 0) return null
  const why = error === undefined ? `${python} has no torch` : `${python} cannot be started`
  return `PyTorch is left out: ${why}. Set PYTHON to an interpreter that has it.`
}

function timedImport(statements: string) {
  const source = `const start = performance.now(); ${statements}; console.log(performance.now() - start); process.exit()`
  return { command: process.execPath, args: ['--input-type=module', '--eval', source] }
}

function antorcha(name: SideName, native: '0' | '1', env: Record<string, string>): SideStart {
  return {
    name,
    command: process.execPath,
    args: [workerFile('antorcha')],
    env: { ...env, ANTORCHA_NATIVE: native, ANTORCHA_BENCH_LIBRARY: libraryUrl },
    importProgram: timedImport(`await import('${libraryUrl}')`),
  }
}

/** The sides in the order of their turns. */
export function sidesOf({ native, peers, threads, files }: Participants): SideStart[] {
  const env = { ANTORCHA_BENCH_THREADS: String(threads), ANTORCHA_BENCH_FILES: files }
  const sides: SideStart[] = []
  if (native !== 'off') sides.push(antorcha('antorcha', '1', env))
  if (native !== 'on') sides.push(antorcha('antorcha wasm', '0', env))
  if (peers.includes('pytorch')) {
    const timed =
      'import time; start = time.perf_counter(); import torch; print((time.perf_counter() - start) * 1e3)'
    sides.push({
      name: 'PyTorch',
      command: python,
      args: [pytorchWorker],
      env: { ...env, OMP_NUM_THREADS: String(threads) },
      importProgram: { command: python, args: ['-c', timed] },
    })
  }
  if (peers.includes('tfjs')) {
    const tf = JSON.stringify(import.meta.resolve('@tensorflow/tfjs'))
    const wasm = JSON.stringify(import.meta.resolve('@tensorflow/tfjs-backend-wasm'))
    sides.push({
      name: 'TensorFlow.js',
      command: process.execPath,
      args: [workerFile('tfjs')],
      env,
      importProgram: timedImport(
        `const { default: tf } = await import(${tf}); await import(${wasm}); await tf.setBackend('wasm'); await tf.ready()`,
      ),
    })
  }
  if (peers.includes('jax')) {
    const jax = JSON.stringify(import.meta.resolve('@jax-js/jax'))
    sides.push({
      name: 'jax-js',
      command: process.execPath,
      args: [workerFile('jax')],
      env,
      importProgram: timedImport(`const jax = await import(${jax}); await jax.init('wasm')`),
    })
  }
  return sides
}
