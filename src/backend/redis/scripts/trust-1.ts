import { defineScript, type RedisScript } from '../script.ts'

/** Notes the other database. Keys: meta. Arguments: identity, the other's identity. */
export const TRUST: RedisScript = defineScript(
  'trust-1',
  `
return redis.call('HSET', KEYS[1], 'trusted', ARGV[2])
`,
)
