// Numbers as Python's format specifications print them. JavaScript's toFixed and toExponential round halves up, Python
// to the even digit, and toFixed gives up at 1e21; nothing else differs.

/** Python's `f'{x:.{digits}f}'`. */
export function pyFixed(x: number, digits: number): string {
  if (!Number.isFinite(x)) return nonFinite(x)
  const sign = x < 0 || Object.is(x, -0) ? '-' : ''
  const magnitude = Math.abs(x)
  if (magnitude >= 1e21) return `${sign}${BigInt(magnitude)}${digits > 0 ? `.${'0'.repeat(digits)}` : ''}`
  const text = magnitude.toFixed(digits)
  return sign + (isHalfway(magnitude, digits) ? roundedToEven(magnitude, digits) : text)
}

/** Python's `f'{x:.{digits}e}'`. */
export function pyExponential(x: number, digits: number): string {
  if (!Number.isFinite(x)) return nonFinite(x)
  const sign = x < 0 || Object.is(x, -0) ? '-' : ''
  const magnitude = Math.abs(x)
  let [mantissa, exponentText] = magnitude.toExponential(digits).split('e')
  const exponent = Number(exponentText)
  // A carry into a new digit (9.5 to 1e+1) is even already.
  const carried = magnitude < 10 ** exponent
  if (!carried && isHalfway(magnitude, digits - exponent) && Number(mantissa.at(-1)) % 2 === 1)
    mantissa = mantissa.slice(0, -1) + (Number(mantissa.at(-1)) - 1)
  return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function nonFinite(x: number): string {
  return Number.isNaN(x) ? 'nan' : x > 0 ? 'inf' : '-inf'
}

/** Whether x lies exactly between two numbers with `digits` decimals (negative: with that many zeros). */
function isHalfway(x: number, digits: number): boolean {
  if (digits >= 0) {
    // x 10^d = n + 1/2 exactly where x 2^(d+1) is odd; scaling by powers of two is exact.
    const scaled = x * 2 ** (digits + 1)
    return Number.isSafeInteger(scaled) && scaled % 2 === 1
  }
  if (!Number.isInteger(x)) return false
  const unit = 10n ** BigInt(-digits)
  return (BigInt(x) * 2n) % (2n * unit) === unit
}

function roundedToEven(x: number, digits: number): string {
  const below = (BigInt(x * 2 ** (digits + 1)) * 5n ** BigInt(digits) - 1n) / 2n
  const n = String(below % 2n === 0n ? below : below + 1n).padStart(digits + 1, '0')
  return digits === 0 ? n : `${n.slice(0, -digits)}.${n.slice(-digits)}`
}
