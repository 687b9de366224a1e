import { defineScript, type RedisScript } from './script.ts'

/**
 * Listed keys of a shard. Keys: meta, listed. Arguments: identity, prefix, lower bound, number.
 * The byte 255 is in no key, so it ends a prefix.
 */
export const LIST_KEYS: RedisScript = defineScript(
  'list-keys-2',
  `
if not isWhole('listed', KEYS[2]) then return damaged(KEYS[2]) end
return redis.call('ZRANGEBYLEX', KEYS[2], ARGV[3], '(' .. ARGV[2] .. '\\255', 'LIMIT', 0, ARGV[4])
`,
)
