import { defineScript, type RedisScript } from './script.ts'
import { NOTES_LUA } from './notes-lua.ts'

/**
 * What a shard says of itself. Keys: meta, hints, cursors, locks, intents, groups, leases. Arguments:
 * identity, writer. A shard that has lost any of these must get another identity first.
 * Returns head, number of changes, trusted, the number of hints that were ever raised, the writer's
 * cursor, seconds and microseconds of the clock, then writer and count of each hint.
 */
export const READ_STATE: RedisScript = defineScript(
  'read-state-7',
  NOTES_LUA,
  `
local gone = lostNote()
if gone then return redis.error_reply('IDENTITY of what has lost ' .. gone) end
local f = redis.call('HMGET', KEYS[1], 'head', 'writes', 'trusted', 'hintCount')
local now = redis.call('TIME')
local reply = { f[1], f[2], f[3], f[4], redis.call('HGET', KEYS[3], ARGV[2]), now[1], now[2] }
for _, part in ipairs(redis.call('HGETALL', KEYS[2])) do reply[#reply + 1] = part end
return reply
`,
)
