import { rawScript, type RedisScript } from './script.ts'
import { RAW_NOTES_LUA } from './notes-lua.ts'

/**
 * Changes the identity of a shard if it is the one expected (empty: none; `*`: any). Keys: as
 * `notes-lua.ts`, then listed, latest, heads and time. Arguments: expected, new one, state, number of
 * shards. Returns the identity that stands then.
 *
 * What is missing of the meta is made anew. Notes count as whole from then on; a part that is there and
 * was never counted counts as damaged until it has been mended.
 */
export const IDENTIFY: RedisScript = rawScript(
  'identify-11',
  RAW_NOTES_LUA,
  `
local META = KEYS[1]
local stands = redis.call('HGET', META, 'identity')
if ARGV[1] ~= '*' and (stands or '') ~= ARGV[1] then return stands end

local UNKNOWN = -1000000000000000
-- Greater than any count that a hint can have had before.
local hintCount = redis.call('TIME')[1] .. '000000'
local first = { 'head', '', 'writes', 0, 'hintCount', hintCount, 'trusted', '', 'run', '', 'base', 0, 'format', '' }
for i = 1, #first, 2 do redis.call('HSETNX', META, first[i], first[i + 1]) end
for i, part in ipairs({ 'listed', 'latest', 'heads', 'time' }) do
  local isNew = redis.call('EXISTS', KEYS[7 + i]) == 0
  redis.call('HSETNX', META, 'n:' .. part, isNew and 0 or UNKNOWN)
end
-- Nothing could end a group whose intent is gone: what it held is let go.
local locks = redis.call('HGETALL', KEYS[4])
for i = 1, #locks, 2 do
  local group = locks[i + 1]:match('^%S+')
  if redis.call('HEXISTS', KEYS[5], group) == 0 then redis.call('HDEL', KEYS[4], locks[i]) end
end
for i, part in ipairs(NOTES) do
  redis.call('HSET', META, 'n:' .. part, redis.call('HLEN', KEYS[i + 1]))
end
redis.call('HSET', META, 'identity', ARGV[2], 'state', ARGV[3], 'shards', ARGV[4])
return ARGV[2]
`,
)
