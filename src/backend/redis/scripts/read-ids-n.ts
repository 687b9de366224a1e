import { defineScript, type RedisScript } from './script.ts'

/**
 * Records by id, of several keys of a shard. Keys: meta, locks, heads, one hash for each. Arguments:
 * identity, then for each hash: the key (empty: neither locks nor losses matter), number of ids, the ids.
 * Returns for each hash: deletedThrough, stamp and value of the register, then a record for each id.
 */
export const READ_IDS: RedisScript = defineScript(
  'read-ids-n',
  `
local reply, at = {}, 2
for i = 4, #KEYS do
  local key, ids = ARGV[at], tonumber(ARGV[at + 1])
  local lock = key ~= '' and redis.call('HGET', KEYS[2], key)
  if lock then return redis.error_reply('LOCKED ' .. lock) end
  local lost = key ~= '' and lostOf(KEYS[3], key, KEYS[i])
  if lost then return damaged(lost) end
  local row = redis.call('HMGET', KEYS[i], 'd', 's', 'v')
  at = at + 2
  for n = 0, ids - 1 do row[4 + n] = redis.call('HGET', KEYS[i], '.' .. ARGV[at + n]) end
  at = at + ids
  reply[#reply + 1] = row
end
return reply
`,
)
