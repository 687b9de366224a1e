import { defineScript, type RedisScript } from '../script.ts'
import { JUDGE_LUA } from './judge-lua.ts'
import { MERGE_LUA } from './merge-lua.ts'

/**
 * Applies the groups of a batch, each whole or not at all.
 *
 * Keys: the shard's own, then two for each key. Arguments: identity, length of what stands before
 * the key in a name, number of groups; a group is flags (`-`, `j`udged, `u`nique as well), hint,
 * writer and LSN of a cursor, number of operations; an operation is seven texts.
 * Returns the number of changes so far, then a list of answers for each group; instead of answers
 * `LOCKED group home` when another group over several shards holds one of its keys.
 */
export const APPLY: RedisScript = defineScript(
  'apply-n',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  JUDGE_LUA,
  `
local hasLocks = redis.call('EXISTS', LOCKS) == 1

local function lockOf(first, count)
  if not hasLocks then return nil end
  for i = 1, count do
    local h = KEYS[FIRST_KEY + 2 * tonumber(ARGV[first + (i - 1) * OP_FIELDS + 1])]
    local lock = redis.call('HGET', LOCKS, h:sub(PREFIX_LENGTH + 1))
    if lock then return lock end
  end
  return nil
end

local reply, head, changed = { 0 }, nil, false
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local flags, hint, writer, lsn, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  at = at + 5
  local lock = flags ~= '-' and lockOf(at, count) or nil
  if lock then
    reply[#reply + 1] = { 'LOCKED ' .. lock }
  else
    local answers, keys, effective, refused = runGroup(at, count, flags ~= '-', flags == 'u')
    if not refused and #effective > 0 then
      for _, k in pairs(keys) do write(k) end
      head = headOfOps(effective, head)
      changed = true
    end
    if hint ~= '' then
      redis.call('HSET', HINTS, hint, redis.call('HINCRBY', META, 'hintCount', 1))
    end
    if writer ~= '' then
      local stored = redis.call('HGET', CURSORS, writer)
      if not stored or tonumber(stored) < tonumber(lsn) then redis.call('HSET', CURSORS, writer, lsn) end
    end
    reply[#reply + 1] = answers
  end
  at = at + count * OP_FIELDS
end
if changed then reply[1] = noteChange(head) end
return reply
`,
)
