import { defineScript, type RedisScript } from './script.ts'
import { MERGE_LUA } from './merge-lua.ts'

/**
 * Writes what earlier formats have of a key anew. Keys: the shard's own, hash and set of the key.
 * Arguments: identity, length of what stands before the key in a name, ids. What is of today's format is
 * left as it is. Returns nothing.
 *
 * Records of the first format did not say to which position an edit or a removal belongs: it is the record's.
 * What had none was cleared, and goes.
 *
 *   r   position, digest                                                      removed
 *   x   position, appendedAt, digest, editedAt, digest, appended NUL edited   anything else
 *
 * Digests of the second were made of values whole, also of encrypted ones, which carried them as well.
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

-- A text with its length before it, in units of UTF-16.
local function measured(text)
  local _, inner = text:gsub('[\\128-\\191]', '')
  local _, pairs = text:gsub('[\\240-\\247]', '')
  return (#text - inner + pairs) .. ':' .. text
end

-- As renewed of backend/renewed-digests.ts: the digest and the value of an operation whose name and other
-- content are these.
local function renewed(parts, content, digest, value, position)
  local key, check, rest = (value or ''):match('^et1%.([%w_-]+)%.(%x+)%.%x+(%..*)$')
  if key then
    value = 'et2.' .. key .. '.' .. check .. rest
    digest = redis.sha1hex(content .. value):sub(1, 12)
    if position then digest = placed(digest, position) end
  end
  return redis.sha1hex(table.concat(parts, '\\0')):sub(1, 7) .. digest:sub(8), value
end

-- The same item as today's format has it; false when nothing is left of it.
local function renewedItem(id, stood, isFirst)
  if stood.p == MIN then return false end
  local item, body = {}, measured(name) .. measured(id)
  for field, value in pairs(stood) do item[field] = value end
  if isFirst and item.ed then item.ed = placed(item.ed, item.eo) end
  if isFirst and item.rd then item.rd = placed(item.rd, item.ro) end
  if item.a then
    item.ad, item.av = renewed({ 'a', name, id, item.a }, 'a' .. body .. item.a, item.ad, item.av)
  end
  if item.eo then
    local parts = { 'e', name, id, item.eo, item.e }
    item.ed, item.ev = renewed(parts, 'e' .. body .. item.e, item.ed, item.ev, item.eo)
  end
  if item.ro then item.rd = renewed({ 'r', name, id, item.ro }, '', item.rd) end
  return item
end

local function replace(id, stood, item)
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

-- The register or the tombstone: fields of stamp, digest and value.
local function replaceField(kind, digestField, valueField)
  local f = redis.call('HMGET', h, kind, digestField, valueField)
  local stamp, digest = f[1], f[2]
  if not stamp or not digest then return end
  local content = kind .. measured(name) .. stamp
  local now, value = renewed({ kind, name, stamp }, content, digest, kind == 's' and f[3] or nil)
  local rest = kind .. name .. '\\0'
  without({ stamp .. now .. rest }, { stamp .. digest .. rest }, timeAdded, true)
  without({ stamp .. digest .. rest }, { stamp .. now .. rest }, timeRemoved, false)
  redis.call('HSET', h, digestField, now)
  if value then redis.call('HSET', h, valueField, value) end
end

for i = 3, #ARGV do
  local raw = redis.call('HGET', h, '.' .. ARGV[i])
  local letter = raw and raw:sub(1, 1)
  local isFirst = letter == 'r' or letter == 'x'
  local ok, item = pcall(isFirst and decodeOld or decode, raw or '')
  if raw and ok and item.p then replace(ARGV[i], item, renewedItem(ARGV[i], item, isFirst)) end
end
replaceField('d', 'dd', 'dd')
replaceField('s', 'sd', 'v')
writeLists()
return {}
`,
)
