import { defineScript, type RedisScript } from './script.ts'
import { FENCE_LUA } from './fence-lua.ts'

/**
 * Notes the other database. Keys: meta, leases. Arguments: identity, name and token of the fence, the
 * other's identity.
 */
export const TRUST: RedisScript = defineScript(
  'trust-2',
  FENCE_LUA,
  `
redis.call('HSET', KEYS[1], 'trusted', ARGV[4])
return { 'DONE' }
`,
)
