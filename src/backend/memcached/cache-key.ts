import { hash } from 'node:crypto'

/** Longest key of the server, in bytes. */
const KEY_BYTES_MAX = 250
/** Begins the name of a key that is hashed; other keys that begin with it are hashed too. */
const MARK = '#'

/** The server's name of a key: long ones, and those with characters it may not have, are hashed. */
export function cacheKey(prefix: string, key: string): string {
  const name = prefix + key
  if (/^[!-~]+$/.test(key) && name.length <= KEY_BYTES_MAX && !key.startsWith(MARK)) return name
  return prefix + MARK + hash('sha256', key, 'base64url')
}
