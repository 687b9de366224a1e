import { defineScript, type RedisScript } from './script.ts'
import { LOCK_LUA } from './lock-lua.ts'

/**
 * The deletedThrough of a key, its register (stamp, value) and the number of its visible items.
 * Keys: meta, locks, the key's two, heads. Arguments: identity, the key.
 */
export const READ_KEY: RedisScript = defineScript(
  'read-key-5',
  LOCK_LUA,
  `
local lost = lostOf(KEYS[5], ARGV[2], KEYS[3], KEYS[4])
if lost then return damaged(lost) end
local f = redis.call('HMGET', KEYS[3], 'd', 's', 'v')
return { f[1], f[2], f[3], redis.call('ZLEXCOUNT', KEYS[4], '[o', '(p') }
`,
)
