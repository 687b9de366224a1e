import { defineScript, type RedisScript } from './script.ts'
import { CONDITIONS_LUA } from './conditions-lua.ts'
import { JUDGE_LUA } from './judge-lua.ts'
import { MERGE_LUA } from './merge-lua.ts'

/**
 * Judges this shard's part of a group over several shards and, if nothing in it is refused, notes it
 * and holds its keys. Keys: as `apply-n`. Arguments: identity, length of what stands before a key,
 * group, home shard, all shards of the group (empty in all but the home shard), `j` or `u`, number
 * of operations, number of conditions, operations, conditions.
 * Returns `PREPARED` or `REFUSED`, `+` when an operation of it stands already or `-`, the condition that does not
 * hold and what stands or nothing, and the answers; or `ABORTED`, `LOCKED group home` or `DAMAGED name`.
 */
export const PREPARE: RedisScript = defineScript(
  'prepare-n',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  JUDGE_LUA,
  CONDITIONS_LUA,
  `
local group, home, shards, flags = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local size, conditions, FIRST = tonumber(ARGV[7]), tonumber(ARGV[8]), 9
local FIRST_CONDITION = FIRST + size * OP_FIELDS
if redis.call('HEXISTS', GROUPS, group) == 1 then return { 'ABORTED' } end
local names = {}
for i = FIRST_KEY, #KEYS, 2 do
  local name = KEYS[i]:sub(PREFIX_LENGTH + 1)
  local lock = redis.call('HGET', LOCKS, name)
  if lock then return { 'LOCKED ' .. lock } end
  names[#names + 1] = name
end

local lost = lostOfGroup(FIRST, size) or lostOfConditions(FIRST_CONDITION, conditions)
if lost then return { 'DAMAGED ' .. lost } end

-- The condition that fails may be in another shard.
local isOwn = isGroupThere(FIRST, size)
local failed = not isOwn and failedOf(FIRST_CONDITION, conditions) or nil
if failed then
  return { 'REFUSED', '-', failed, unpack(withheldAll(FIRST, size)) }
end
local answers, _, effective, refused = runGroup(FIRST, size, true, flags == 'u')
local reply = { refused and 'REFUSED' or 'PREPARED', isOwn and '+' or '-', '' }
for _, answer in ipairs(answers) do reply[#reply + 1] = answer end
if refused then return reply end

local ops = {}
for i, op in ipairs(effective) do
  ops[i] = { op.kind, op.key, op.id, op.position, op.stamp, op.digest, op.value }
end
count('intents', redis.call('HSET', INTENTS, group, cmsgpack.pack({ names, ops })))
for _, name in ipairs(names) do
  count('locks', redis.call('HSET', LOCKS, name, group .. ' ' .. home))
end
if shards ~= '' then
  local record = 'pending ' .. redis.call('TIME')[1] .. ' ' .. shards
  count('groups', redis.call('HSET', GROUPS, group, record))
end
return reply
`,
)
