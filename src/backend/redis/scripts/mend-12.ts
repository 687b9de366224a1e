import { defineScript, type RedisScript } from './script.ts'
import { MERGE_LUA } from './merge-lua.ts'
import { READABLE_LUA } from './readable-lua.ts'

/** Where the mending of a key begins. */
export const MEND_START = ['items', '0'] as const
export const MEND_DONE = 'done'

/**
 * Makes all that reads of one key go by fit its hash, some steps a call. Keys: the shard's own, hash and
 * set of the key. Arguments: identity, length of what stands before the key in a name, then where to go
 * on (`MEND_START`). Returns where to go on next, at last `MEND_DONE`.
 *
 * What every record stands for is added to the set and the time line; members of the set without a record
 * are removed; then the key is listed, or not, and its record counts what is there. A record that cannot
 * be read is left to `repair`, with its members. Writers may come between the calls: each call leaves what
 * it looked at as it should be at that moment, and so do they.
 */
export const MEND: RedisScript = defineScript(
  'mend-12',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  READABLE_LUA,
  `
local STEPS = 1000
local h, z = KEYS[FIRST_KEY], KEYS[FIRST_KEY + 1]
local name = h:sub(PREFIX_LENGTH + 1)

local function noteHead(head)
  if head and head > (redis.call('HGET', META, 'head') or '') then
    redis.call('HSET', META, 'head', head)
  end
end

local function mendItems(cursor)
  local page = redis.call('HSCAN', h, cursor, 'COUNT', STEPS)
  local own, head = {}, nil
  for i = 1, #page[2], 2 do
    local field = page[2][i]
    local item = field:sub(1, 1) == '.' and readable(page[2][i + 1])
    if item then
      local members, moments = membersOf(name, field:sub(2), item)
      without(members, {}, own, true)
      without(moments, {}, timeAdded, true)
      head = later(head, itemStamp(item))
    end
  end
  chunked('ZADD', z, own)
  noteHead(head)
  return page[1] ~= '0' and page[1] or nil, #page[2]
end

local function mendMembers(cursor)
  local page = redis.call('ZRANGEBYLEX', z, cursor, '+', 'LIMIT', 0, STEPS)
  local gone = {}
  for _, member in ipairs(page) do
    local id = idOfMember(member)
    local raw = redis.call('HGET', h, '.' .. id)
    local item = raw and readable(raw)
    if not raw or (item and not contains((membersOf(name, id, item)), member)) then
      gone[#gone + 1] = member
    end
  end
  chunked('ZREM', z, gone)
  return #page == STEPS and '(' .. page[STEPS] or nil, #page
end

-- A register or a tombstone of which a part is lost is of no use: all of it comes back from elsewhere.
local function mendField(kind, stamp, digest, value)
  local f = redis.call('HMGET', h, stamp, digest, value)
  if f[1] and f[2] and f[3] and isPlace(f[1]) then
    without({ f[1] .. f[2] .. kind .. name .. '\\0' }, {}, timeAdded, true)
    noteHead(f[1])
    return true
  end
  redis.call('HDEL', h, stamp, digest, value)
  return false
end

local function mendRecord()
  local hasRegister = mendField('s', 's', 'sd', 'v')
  mendField('d', 'd', 'dd', 'dd')
  local last = redis.call('ZREVRANGEBYLEX', z, '(p', '[o', 'LIMIT', 0, 1)[1]
  local latest = last and last:sub(2, 37)
  local before = sizesOf(redis.call('HGET', HEADS, name))
  if before and before ~= latest and isPlace(before) then
    count('latest', -redis.call('ZREM', LATEST, turned(before) .. name))
  end
  if latest then count('latest', redis.call('ZADD', LATEST, 0, turned(latest) .. name)) end
  if latest or hasRegister then
    count('listed', redis.call('ZADD', LISTED, 0, name))
  else
    count('listed', -redis.call('ZREM', LISTED, name))
  end
  local record = recordText(latest, redis.call('ZCARD', z), redis.call('HLEN', h))
  if record then
    count('heads', redis.call('HSET', HEADS, name, record))
  else
    count('heads', -redis.call('HDEL', HEADS, name))
  end
  return nil, 1
end

local stage, cursor, steps = ARGV[3], ARGV[4], 0
while stage ~= '${MEND_DONE}' and steps < STEPS do
  local taken
  if stage == 'items' then
    cursor, taken = mendItems(cursor)
    if not cursor then stage, cursor = 'members', '-' end
  elseif stage == 'members' then
    cursor, taken = mendMembers(cursor)
    if not cursor then stage, cursor = 'record', '' end
  else
    cursor, taken = mendRecord()
    stage, cursor = '${MEND_DONE}', ''
  end
  steps = steps + taken
end
writeLists()
return { stage, cursor }
`,
)
