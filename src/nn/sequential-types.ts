// Types that let the compiler check whether the layers of a Sequential fit together: a number of features or channels
// flows from one to the next, where it is known. Nothing here exists at run time.

import type { Conv1d, Conv2d, Conv3d } from './conv.ts'
import type {
  LazyConv1d,
  LazyConv2d,
  LazyConv3d,
  LazyConvTranspose1d,
  LazyConvTranspose2d,
  LazyConvTranspose3d,
} from './conv-lazy.ts'
import type { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './conv-transpose.ts'
import type { LazyLinear, Linear } from './linear.ts'
import type { Layer } from './module.ts'
import type { BatchNorm1d, BatchNorm2d, BatchNorm3d } from './norm.ts'

/** Marks layers that leave features and channels as they are, such as activations and dropout. */
export declare const keepsWidth: unique symbol
/** Marks layers that leave channels as they are but not the last dimension, such as pooling. */
export declare const keepsChannels: unique symbol

/** A convolution of any kind. */
type Convolution<I extends number, O extends number> =
  | Conv1d<I, O>
  | Conv2d<I, O>
  | Conv3d<I, O>
  | ConvTranspose1d<I, O>
  | ConvTranspose2d<I, O>
  | ConvTranspose3d<I, O>

/** A convolution that takes any number of channels. */
type LazyConvolution<O extends number> =
  | LazyConv1d<O>
  | LazyConv2d<O>
  | LazyConv3d<O>
  | LazyConvTranspose1d<O>
  | LazyConvTranspose2d<O>
  | LazyConvTranspose3d<O>

type BatchNorm<C extends number> = BatchNorm1d<C> | BatchNorm2d<C> | BatchNorm3d<C>

/** What a layer takes: `[kind, count]`, or null where any will do. */
type Takes<L> = L extends LazyLinear | LazyConvolution<number>
  ? null
  : L extends Linear<infer I, number>
    ? ['features', I]
    : L extends Convolution<infer I, number>
      ? ['channels', I]
      : L extends BatchNorm<infer C>
        ? ['channels', C]
        : null

/** What comes out of a layer into which `In` flows. */
type Gives<L, In> =
  L extends LazyLinear<infer O>
    ? ['features', O]
    : L extends Linear<number, infer O>
      ? ['features', O]
      : L extends LazyConvolution<infer O>
        ? ['channels', O]
        : L extends Convolution<number, infer O>
          ? ['channels', O]
          : L extends BatchNorm<infer C>
            ? ['channels', C]
            : typeof keepsWidth extends keyof L
              ? In
              : typeof keepsChannels extends keyof L
                ? In extends ['channels', number]
                  ? In
                  : null
                : null

/** Whether two counts may meet. Only numbers known to the compiler can disagree, and only of one kind. */
type Fits<Flow, Wanted> = Flow extends [infer K, infer N]
  ? Wanted extends [K, infer M]
    ? number extends N
      ? true
      : number extends M
        ? true
        : N extends M
          ? true
          : false
    : true
  : true

type Complaint<Index extends number, Flow, Wanted> = Flow extends [
  infer K extends string,
  infer N extends number,
]
  ? Wanted extends [K, infer M extends number]
    ? `layer ${Index} expects ${M} input ${K} but the layer before it outputs ${N}`
    : never
  : never

/** The layers themselves where they fit; a sentence in place of the first one that does not. */
export type Fitting<
  L extends readonly unknown[],
  Flow = null,
  Done extends readonly unknown[] = [],
> = L extends readonly [infer Head, ...infer Rest]
  ? Fits<Flow, Takes<Head>> extends true
    ? Fitting<Rest, Gives<Head, Flow>, readonly [...Done, Head]>
    : readonly [...Done, Complaint<Done['length'] & number, Flow, Takes<Head>>, ...Rest]
  : readonly [...Done, ...L]

export type Layers = readonly (Layer | null)[]
