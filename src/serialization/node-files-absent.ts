// Stands for node-files.ts in the build for browsers, where there are no paths.

import { FileError } from './errors.ts'

function refuse(): never {
  throw new FileError(
    'there is no file system here: give bytes, or use loadAsync with a URL, File, Blob or Response',
  )
}

export {
  refuse as makeFolder,
  refuse as pathOfUrl,
  refuse as replaceFile,
  refuse as siblingPath,
  refuse as stemOf,
  refuse as withFile,
}

export function isNode(): boolean {
  return false
}

export async function prepareNode(): Promise<void> {}

export function setFileTransfers(): void {}
