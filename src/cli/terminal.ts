// What commands of the command line write to, and how they write sizes and tables.

/** Where a command's output goes: the terminal, or a test. */
export interface Terminal {
  out(line: string): void
  err(line: string): void
}

/** A command line that makes no sense; its message says what would. */
export class UsageError extends Error {
  override name = 'UsageError'
}

const units = ['bytes', 'kB', 'MB', 'GB', 'TB']

/** `1.5 MB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit + 1 < units.length) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(value < 999.5 ? 3 : 4)} ${units[unit]}`
}

/** `101,770`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** A text from a file without what could command a terminal: control characters are written as escapes. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what this is about.
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0)
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** Lines of a table whose columns are aligned; those named in `right` at their ends, as numbers are. */
export function formatTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd(),
  )
}
