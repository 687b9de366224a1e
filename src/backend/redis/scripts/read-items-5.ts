import { defineScript, type RedisScript } from './script.ts'
import { LOCK_LUA } from './lock-lua.ts'

/**
 * A page of items. Keys: meta, locks, the key's two, heads. Arguments: identity, the key, `after` and
 * `before` (or empty), limit, `newest` or `oldest`, `1` for removed items too.
 * Returns deletedThrough, then id and record of up to limit + 1 items.
 */
export const READ_ITEMS: RedisScript = defineScript(
  'read-items-5',
  LOCK_LUA,
  `
local lost = lostOf(KEYS[5], ARGV[2], KEYS[3], KEYS[4])
if lost then return damaged(lost) end
local after, before, limit = ARGV[3], ARGV[4], tonumber(ARGV[5]) + 1
local newest = ARGV[6] == 'newest'

local function members(kind)
  -- A position has 36 characters, and what follows it is below the byte 255.
  local min = after == '' and '[' .. kind or '(' .. kind .. after .. '\\255'
  local max = before == '' and '[' .. kind .. '\\255' or '(' .. kind .. before
  if newest then return redis.call('ZREVRANGEBYLEX', KEYS[4], max, min, 'LIMIT', 0, limit) end
  return redis.call('ZRANGEBYLEX', KEYS[4], min, max, 'LIMIT', 0, limit)
end

local list = members('o')
if ARGV[7] == '1' then
  local seen, hidden, all = list, members('m'), {}
  local i, j = 1, 1
  while #all < limit and (seen[i] or hidden[j]) do
    local takeSeen = hidden[j] == nil
    if seen[i] and hidden[j] then
      local a, b = seen[i]:sub(2, 37), hidden[j]:sub(2, 37)
      if newest then takeSeen = a >= b else takeSeen = a <= b end
    end
    if takeSeen then
      all[#all + 1] = seen[i]
      i = i + 1
    else
      all[#all + 1] = hidden[j]
      j = j + 1
    end
  end
  list = all
end

local reply = { redis.call('HGET', KEYS[3], 'd') }
for first = 1, #list, 1000 do
  local ids, fields = {}, {}
  for i = first, math.min(first + 999, #list) do
    local id = list[i]:sub(38)
    if id == '' then id = list[i]:sub(2, 37) end
    ids[#ids + 1], fields[#fields + 1] = id, '.' .. id
  end
  local records = redis.call('HMGET', KEYS[3], unpack(fields))
  for i, id in ipairs(ids) do
    reply[#reply + 1] = id
    reply[#reply + 1] = records[i]
  end
end
return reply
`,
)
