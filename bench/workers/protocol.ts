// What the driver and its workers say to each other: one line of JSON for each request and each answer, on the worker's
// standard input and output.

/** A tensor in a file: its elements in C order. */
export interface TensorFile {
  readonly dtype: 'float32' | 'int64'
  readonly shape: readonly number[]
  readonly path: string
}

export type Request =
  /** What the library says of itself. */
  | { readonly type: 'describe' }
  /** Builds a workload and runs its first steps, which warm it up; answers with samples of their results. */
  | {
      readonly type: 'prepare'
      readonly workload: string
      /** The workload's Python source. */
      readonly python: string
      readonly inputs: Readonly<Record<string, TensorFile>>
      readonly calls: number
    }
  /** Runs the prepared step so many times. */
  | { readonly type: 'block'; readonly repetitions: number }
  /** The greatest resident memory of the process so far. */
  | { readonly type: 'memory' }

export interface Description {
  readonly version: string
  readonly threads: number
  /** How the library was built, which instructions it uses: free text. */
  readonly configuration: string
  /** All that the library says of its build, for the JSON. */
  readonly details?: string
}

export type Answer =
  | { readonly type: 'description'; readonly description: Description }
  | { readonly type: 'results'; readonly results: readonly (readonly number[])[] }
  | { readonly type: 'unsupported' }
  | { readonly type: 'elapsed'; readonly milliseconds: number }
  | { readonly type: 'memory'; readonly bytes: number }
  | { readonly type: 'error'; readonly message: string }

/** At most so many elements of a result are compared, evenly spread. */
export const sampleSize = 4096

/** Every so manieth element of a result of `length` is compared. */
export const sampleStep = (length: number): number => Math.max(1, Math.ceil(length / sampleSize))
