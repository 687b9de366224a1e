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
