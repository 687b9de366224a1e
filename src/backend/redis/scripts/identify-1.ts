import { rawScript, type RedisScript } from '../script.ts'

/**
 * Changes the identity of a shard if it is the one expected (empty: none). Keys: meta. Arguments:
 * expected, new one, state, number of shards. Returns the identity that stands then.
 */
export const IDENTIFY: RedisScript = rawScript(
  'identify-1',
  `
local stands = redis.call('HGET', KEYS[1], 'identity')
if ARGV[1] == '*' or (stands or '') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'identity', ARGV[2], 'state', ARGV[3], 'shards', ARGV[4])
  return ARGV[2]
end
return stands
`,
)
