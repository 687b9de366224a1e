/*
 * The group of a key: with `chat/4:acme:…` what stands before the colon behind the name, which has as many
 * characters as are said before it. So the conversations of a tenant are in a group without any other's.
 */

/** The one group that all keys with this prefix are in; undefined when there may be several. */
export function groupOf(prefix: string): string | undefined {
  const match = /^[^/:]*\/(\d{1,4}):/.exec(prefix)
  if (match === null) return undefined
  // Databases count whole characters.
  const rest = Array.from(prefix.slice(match[0].length))
  const length = Number(match[1])
  return rest.length < length ? undefined : match[0] + rest.slice(0, length).join('')
}
