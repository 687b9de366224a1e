import { defineScript, type RedisScript } from '../script.ts'
import { MERGE_LUA } from './merge-lua.ts'

/**
 * Writes records of the first format anew. They did not say to which position an edit or a removal
 * belongs: it is the record's. What had none was cleared, and goes. Keys: the shard's own, hash and set
 * of the key. Arguments: identity, length of what stands before the key in a name, ids. A record that
 * is of today's format is left alone. Returns nothing.
 *
 *   r   position, digest                                                      removed
 *   x   position, appendedAt, digest, editedAt, digest, appended NUL edited   anything else
 */
export const UPGRADE: RedisScript = defineScript(
  'upgrade-12',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  `
local name, h, z = KEYS[FIRST_KEY]:sub(PREFIX_LENGTH + 1), KEYS[FIRST_KEY], KEYS[FIRST_KEY + 1]

local function decodeOld(raw)
  local item = { p = raw:sub(2, 37) }
  if raw:sub(1, 1) == 'r' then
    item.ro, item.rd = item.p, raw:sub(38, 49)
    return item
  end
  local a, e, split = raw:sub(38, 73), raw:sub(86, 121), raw:find('\\0', 134, true)
  if a ~= MIN then item.a, item.ad, item.av = a, raw:sub(74, 85), raw:sub(134, split - 1) end
  if e ~= MIN then
    item.eo, item.e, item.ed, item.ev = item.p, e, raw:sub(122, 133), raw:sub(split + 1)
  end
  return item
end

-- As placedDigest of core/digest.ts.
local function placed(digest, position)
  local other, halves = redis.sha1hex(position), {}
  for at = 1, 7, 6 do
    local x, y = tonumber(digest:sub(at, at + 5), 16), tonumber(other:sub(at, at + 5), 16)
    halves[#halves + 1] = string.format('%06x', bit.bxor(x, y))
  end
  return halves[1] .. halves[2]
end

local function replace(id, stood)
  local item = stood.p ~= MIN and {} or false
  if item then
    for field, value in pairs(stood) do item[field] = value end
    if item.ed then item.ed = placed(item.ed, item.eo) end
    if item.rd then item.rd = placed(item.rd, item.ro) end
  end
  local own, time = membersOf(name, id, item)
  local oldOwn, oldTime = membersOf(name, id, stood)
  local zadd, zrem = {}, {}
  without(own, oldOwn, zadd, true)
  without(oldOwn, own, zrem, false)
  without(time, oldTime, timeAdded, true)
  without(oldTime, time, timeRemoved, false)
  chunked('ZADD', z, zadd)
  chunked('ZREM', z, zrem)
  if item then redis.call('HSET', h, '.' .. id, encode(item)) else redis.call('HDEL', h, '.' .. id) end
end

for i = 3, #ARGV do
  local raw = redis.call('HGET', h, '.' .. ARGV[i])
  local letter = raw and raw:sub(1, 1)
  if letter == 'r' or letter == 'x' then
    local ok, item = pcall(decodeOld, raw)
    if ok then replace(ARGV[i], item) end
  end
end
writeLists()
return {}
`,
)
