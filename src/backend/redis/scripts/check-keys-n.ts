import { defineScript, type RedisScript } from './script.ts'

/**
 * Keys: meta, heads, then hash and set of each key. Arguments: identity, the keys. Returns key and name of
 * the first thing of it that does not fit its record.
 */
export const CHECK_KEYS: RedisScript = defineScript(
  'check-keys-n',
  `
local lost = {}
for i = 2, #ARGV do
  local h, z = KEYS[2 * i - 1], KEYS[2 * i]
  local _, members, fields = sizesOf(redis.call('HGET', KEYS[2], ARGV[i]))
  local name = redis.call('HLEN', h) ~= fields and h or redis.call('ZCARD', z) ~= members and z
  if name then lost[#lost + 1], lost[#lost + 2] = ARGV[i], name end
end
return lost
`,
)
