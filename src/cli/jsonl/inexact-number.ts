/**
 * The first number of a JSON text that would come back changed, because it has more digits than a
 * double holds; undefined when there is none. The text must be valid JSON.
 */
export function inexactNumber(text: string): string | undefined {
  // Most texts have no number that is long enough to need the closer look.
  if (!/[0-9.]{16}|[0-9][eE]/.test(text)) return undefined
  for (let start = 0; start < text.length;) {
    const quote = text.indexOf('"', start)
    const end = quote === -1 ? text.length : quote
    for (const [token] of text.slice(start, end).matchAll(/-?[0-9][0-9.eE+-]*/g)) {
      if (!isExact(token)) return token
    }
    start = quote === -1 ? end : endOfString(text, quote)
  }
  return undefined
}

/** Index behind the closing quote of the string that opens at `quote`. */
function endOfString(text: string, quote: number): number {
  for (let end = text.indexOf('"', quote + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return end + 1
  }
  return text.length
}

function isExact(token: string): boolean {
  return sameDecimal(token, JSON.stringify(Number(token)))
}

/** True when both write the same number: 1.50 and 15e-1 do. */
function sameDecimal(a: string, b: string): boolean {
  const x = normalise(a)
  const y = normalise(b)
  return x !== undefined && y !== undefined && x.digits === y.digits && x.exponent === y.exponent
}

/** Sign and digits without leading and trailing zeros, and the power of ten of the last digit. */
function normalise(text: string): { digits: string; exponent: number } | undefined {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', power = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  // Not by a pattern: one that looks for the end tries again at each of a million zeros.
  let end = digits.length
  while (digits[end - 1] === '0') end--
  const significant = digits.slice(0, end)
  if (significant === '') return { digits: '0', exponent: 0 }
  const dropped = digits.length - significant.length
  return { digits: sign + significant, exponent: Number(power) - fraction.length + dropped }
}
