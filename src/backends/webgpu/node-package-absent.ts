// Stands for node-package.ts in the build for browsers.

export function nodePackage(): null {
  return null
}
