import { hash } from 'node:crypto'
import { WHOLE_LUA } from './whole-lua.ts'

/** A Lua script as the server knows it: by the SHA-1 of its text. */
export interface RedisScript {
  /** Its name and the number of its keys; `n` when that differs from call to call. */
  readonly name: string
  readonly text: string
  readonly sha: string
}

/** Refuses to run in a database that was made anew since the caller looked. */
const CHECK_IDENTITY = `
if redis.call('HGET', KEYS[1], 'identity') ~= ARGV[1] then
  return redis.error_reply('IDENTITY has changed')
end
`

/** A script whose first key is the shard's meta and whose first argument is its identity. */
export function defineScript(name: string, ...parts: readonly string[]): RedisScript {
  return rawScript(name, CHECK_IDENTITY, WHOLE_LUA, ...parts)
}

/** A script that also runs where there is no identity yet. */
export function rawScript(name: string, ...parts: readonly string[]): RedisScript {
  const text = parts.join('')
  return { name, text, sha: hash('sha1', text) }
}
