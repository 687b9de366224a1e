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
