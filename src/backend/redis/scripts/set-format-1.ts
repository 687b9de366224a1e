import { defineScript, type RedisScript } from './script.ts'

/** Notes the format of a shard's records. Keys: meta. Arguments: identity, format. */
export const SET_FORMAT: RedisScript = defineScript(
  'set-format-1',
  `
return redis.call('HSET', KEYS[1], 'format', ARGV[2])
`,
)
