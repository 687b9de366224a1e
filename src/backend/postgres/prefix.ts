/**
 * The least text above every text with this prefix, by code point, or null when there is none: then
 * the prefix is empty or consists of the greatest code point.
 */
export function prefixEnd(prefix: string): string | null {
  const points = Array.from(prefix)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0)!
    if (point === 0x10ffff) continue
    // Surrogates are no code points of their own.
    const next = point === 0xd7ff ? 0xe000 : point + 1
    return points.join('') + String.fromCodePoint(next)
  }
  return null
}
