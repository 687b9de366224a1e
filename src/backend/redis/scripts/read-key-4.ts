import { defineScript, type RedisScript } from '../script.ts'
import { LOCK_LUA } from './lock-lua.ts'

/**
 * The deletedThrough of a key, its register (stamp, value) and the number of its visible items.
 * Keys: meta, locks, the key's two. Arguments: identity, the key.
 */
export const READ_KEY: RedisScript = defineScript(
  'read-key-4',
  LOCK_LUA,
  `
local f = redis.call('HMGET', KEYS[3], 'd', 's', 'v')
return { f[1], f[2], f[3], redis.call('ZLEXCOUNT', KEYS[4], '[o', '(p') }
`,
)
