// Stands for progress-bar.ts in the build for browsers, where there is no terminal.

export function startBar(): null {
  return null
}
