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

/**
 * SQL: the group of a key, which is what stands before its second colon. The conversations of a tenant are
 * in one group, because no tenant's name goes on beyond it: `chat/4:acme:…`.
 */
export function groupSql(key: string): string {
  return `(pg_catalog.split_part(${key}, ':', 1) || ':' || pg_catalog.split_part(${key}, ':', 2))`
}

/** The one group that all keys with this prefix are in; undefined when there may be several. */
export function groupOf(prefix: string): string | undefined {
  const [space, name, rest] = prefix.split(':')
  return rest === undefined ? undefined : `${space}:${name}`
}
