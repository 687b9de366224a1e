import { defineScript, type RedisScript } from './script.ts'
import { CONDITIONS_LUA } from './conditions-lua.ts'
import { JUDGE_LUA } from './judge-lua.ts'
import { MERGE_LUA } from './merge-lua.ts'

/**
 * Applies the groups of a batch, each whole or not at all.
 *
 * Keys: the shard's own, then two for each key. Arguments: identity, length of what stands before
 * the key in a name, number of groups. A group begins with a flag (`-`, `j`udged, `u`nique as well),
 * `+` or `.`, the number of its operations and, after a `:`, that of its conditions; after `+` come its
 * hint and the writer and LSN of its cursor, each empty if there is none. Its operations are three texts each
 * (`judge-lua.ts`), and so are its conditions (`conditions-lua.ts`).
 * Returns the number of changes so far, then a list of answers for each group; before the answers
 * `FAILED index stamp` where a condition does not hold; instead of answers
 * `LOCKED group home` when another group over several shards holds one of its keys, `DAMAGED name` when
 * something is missing of what a group that is judged must be judged by.
 */
export const APPLY: RedisScript = defineScript(
  'apply-n',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  JUDGE_LUA,
  CONDITIONS_LUA,
  `
local hasLocks = redis.call('EXISTS', LOCKS) == 1

local function lockOfKey(number)
  return redis.call('HGET', LOCKS, KEYS[FIRST_KEY + 2 * number]:sub(PREFIX_LENGTH + 1))
end

local function lockOf(first, size, conditions)
  if not hasLocks then return nil end
  for i = 0, size - 1 do
    local lock = lockOfKey(keyOf(first + i * OP_FIELDS))
    if lock then return lock end
  end
  for i = 0, conditions - 1 do
    local lock = lockOfKey(conditionKeyOf(first + size * OP_FIELDS + i * CONDITION_FIELDS))
    if lock then return lock end
  end
  return nil
end

-- The answers to a group whose conditions do not hold, or cannot be judged; nil when they hold.
local function refusedBy(first, size, conditions)
  local from = first + size * OP_FIELDS
  local lost = lostOfConditions(from, conditions) or lostOfGroup(first, size)
  if lost then return { 'DAMAGED ' .. lost } end
  local failed = failedOf(from, conditions)
  if not failed or isGroupThere(first, size) then return nil end
  return { 'FAILED ' .. failed, unpack(withheldAll(first, size)) }
end

-- Applies what nearly all groups are: one append of an item that was never seen before, judged or not.
-- Returns its answer and stamp; nil, and nothing is done, when the group is anything else or its id
-- cannot be known to be new.
local function appendNew(at, unique)
  local text, id, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if text:sub(1, 1) ~= 'a' then return nil end
  local digest, position, number = text:sub(2, 13), text:sub(50, 85), keyOf(at)
  local h, z = KEYS[FIRST_KEY + 2 * number], KEYS[FIRST_KEY + 2 * number + 1]
  local field = '.' .. (id == '' and position or id)
  local stored = redis.call('HMGET', h, 'd', 's', field)
  local d, hasRegister = stored[1] or nil, stored[2] ~= false
  if stored[3] or isGone(position, d) then return nil end
  local name = h:sub(PREFIX_LENGTH + 1)
  if unique and lostBefore(name, h) then return nil end
  local fields = redis.call('HSET', h, field, 'a' .. position .. digest .. value)
  local members = redis.call('ZADD', z, 0, 'o' .. position .. id)
  timeAdded[#timeAdded + 1] = 0
  timeAdded[#timeAdded + 1] = position .. digest .. 'a' .. name .. '\\0' .. id
  relist(name, members, fields, hasRegister, hasRegister, nil, position)
  return answer('a', d), later(text:sub(14, 49), position)
end

-- Any other group. Returns its answers, and the greatest stamp or nil when nothing was changed.
local function applyGroup(at, size, flags)
  local lost = flags ~= '-' and lostOfGroup(at, size) or nil
  if lost then return { 'DAMAGED ' .. lost }, nil end
  local answers, keys, effective, refused = runGroup(at, size, flags ~= '-', flags == 'u')
  if refused or #effective == 0 then return answers, nil end
  for _, k in pairs(keys) do write(k) end
  return answers, headOfOps(effective, nil)
end

local reply, head, hinted = { 0 }, nil, false
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local flags, marked = ARGV[at]:sub(1, 1), ARGV[at]:sub(2, 2) == '+'
  local sizes = ARGV[at]:sub(3)
  local size, conditions = tonumber(sizes), 0
  if not size then
    local a, b = sizes:match('^(%d+):(%d+)$')
    size, conditions = tonumber(a), tonumber(b)
  end
  local hint, writer, lsn = '', '', ''
  at = at + 1
  if marked then
    hint, writer, lsn = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    at = at + 3
  end
  local lock = flags ~= '-' and lockOf(at, size, conditions) or nil
  if lock then
    reply[#reply + 1] = { 'LOCKED ' .. lock }
  else
    local answers, stamp
    if conditions > 0 then answers = refusedBy(at, size, conditions) end
    if not answers and size == 1 then
      local only
      only, stamp = appendNew(at, flags == 'u')
      answers = only and { only }
    end
    if not answers then answers, stamp = applyGroup(at, size, flags) end
    head = later(head, stamp)
    if hint ~= '' then
      hinted = true
      count('hints', redis.call('HSET', HINTS, hint, redis.call('HINCRBY', META, 'hintCount', 1)))
    end
    if writer ~= '' then
      local stored = redis.call('HGET', CURSORS, writer)
      if not stored or tonumber(stored) < tonumber(lsn) then
        count('cursors', redis.call('HSET', CURSORS, writer, lsn))
      end
    end
    reply[#reply + 1] = answers
  end
  at = at + size * OP_FIELDS + conditions * CONDITION_FIELDS
end
if head then writeLists() end
-- A hint that is lost would leave the other database believed: it is a change too.
if head or hinted then reply[1] = noteChange(head) end
return reply
`,
)
