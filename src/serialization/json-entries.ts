// The entries of a JSON object in the order of the text, which JavaScript's objects do not keep for keys such as "10".

/**
 * The entries of the object that `text` is, in order. A key may occur twice, as two entries.
 * Throws a SyntaxError for text that is no JSON, an Error for JSON that is no object.
 */
export function jsonEntries(text: string): [string, unknown][] {
  const object: unknown = JSON.parse(text)
  if (object === null || typeof object !== 'object' || Array.isArray(object))
    throw new Error('expected a JSON object')
  const keys = topLevelKeys(text)
  // No key was lost or moved, unless the counts differ or a key looks like the index of an array.
  if (keys === null) return Object.entries(object)
  return keys.map(({ key, start, end }) => [key, JSON.parse(text.slice(start, end))])
}

interface Entry {
  readonly key: string
  /** Where in the text the value lies. */
  readonly start: number
  readonly end: number
}

/** Where the values of the outermost object of valid JSON lie; null where JSON.parse keeps what the text says anyway. */
function topLevelKeys(text: string): Entry[] | null {
  const entries: Entry[] = []
  const seen = new Set<string>()
  let isPlain = true
  let depth = 0
  let key: string | null = null
  let start = 0
  const close = (end: number) => {
    if (key !== null) entries.push({ key, start, end })
    key = null
  }
  // Strings as wholes, and the characters that give an object its form.
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g)) {
    if (token[0] === '"') {
      if (depth !== 1 || key !== null) continue
      key = JSON.parse(token) as string
      if (seen.has(key) || /^\d/.test(key)) isPlain = false
      seen.add(key)
    } else if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') {
      depth--
      if (depth === 0) close(index)
    } else if (depth === 1 && token === ':') start = index + 1
    else if (depth === 1 && token === ',') close(index)
  }
  return isPlain ? null : entries
}
