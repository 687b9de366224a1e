/** Orders text by code point, as UTF-8 bytes and `COLLATE "C"` do; `<` orders by UTF-16 unit. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for code points above all others of one unit.
    const high = isSurrogate(x)
    return high === isSurrogate(y) ? x - y : high ? 1 : -1
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

/** The last code point that a string without lone surrogates may contain. */
const CODE_POINT_MAX = 0x10ffff

/**
 * The least text above all texts that begin with the prefix, by code point; undefined when there is
 * none. A range needs no pattern: every character of the prefix is literal.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  while (points.at(-1) === CODE_POINT_MAX) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  // Surrogates are no characters.
  points.push(last === 0xd7ff ? 0xe000 : last + 1)
  return String.fromCodePoint(...points)
}
