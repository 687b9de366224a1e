import { defineScript, type RedisScript } from './script.ts'
import { MERGE_LUA } from './merge-lua.ts'
import { READABLE_LUA } from './readable-lua.ts'

/**
 * Writes a value and its digest over what stands with the same stamp. Keys: the shard's own, hash and
 * set of the key. Arguments: identity, length of what stands before the key in a name, then the
 * operation: kind, id, position, stamp, digest, value. Returns the number of records written.
 *
 * A record that cannot be read is written anew with what the operation has of it.
 */
export const REPAIR: RedisScript = defineScript(
  'repair-12',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  READABLE_LUA,
  `
local op = { kind = ARGV[3], id = ARGV[4], position = ARGV[5], stamp = ARGV[6], digest = ARGV[7], value = ARGV[8] }
local k = openKey(0)

-- The time line has one member of this place, kind, key and id: that with the right digest.
local function setMember(place, id)
  local rest = op.kind .. k.name .. '\\0' .. id
  local found = false
  for _, member in ipairs(redis.call('ZRANGEBYLEX', TIME, '[' .. place, '[' .. place .. '\\255')) do
    if member:sub(49) == rest then
      if member:sub(37, 48) == op.digest then found = true else count('time', -redis.call('ZREM', TIME, member)) end
    end
  end
  if not found then count('time', redis.call('ZADD', TIME, 0, place .. op.digest .. rest)) end
end

-- Other parts of the item are gone with its record: they must show as missing.
local function forget(place, id)
  local rest = k.name .. '\\0' .. id
  for _, member in ipairs(redis.call('ZRANGEBYLEX', TIME, '[' .. place, '[' .. place .. '\\255')) do
    if member:sub(50) == rest then count('time', -redis.call('ZREM', TIME, member)) end
  end
end

local function repairItem()
  local raw = redis.call('HGET', k.h, '.' .. op.id)
  if not raw then return 0 end
  local item = readable(raw)
  if item == nil then
    item = withoutCleared(itemOf(op), k.d)
    if not item then return 0 end
    forget(op.position, suffix(op.id, op.position))
    k.items[op.id], k.stood[op.id] = item, false
    write(k)
    writeLists()
  elseif op.kind == 'a' and item.a == op.position then
    item.ad, item.av = op.digest, op.value
  elseif op.kind == 'e' and item.e == op.stamp and item.eo == op.position then
    item.ed, item.ev = op.digest, op.value
  elseif op.kind == 'r' and item.ro == op.position then
    item.rd = op.digest
  else
    return 0
  end
  redis.call('HSET', k.h, '.' .. op.id, encode(item))
  setMember(op.position, suffix(op.id, op.position))
  return 1
end

if op.kind == 's' then
  if k.s ~= op.stamp then return { 0 } end
  redis.call('HSET', k.h, 'sd', op.digest, 'v', op.value)
  setMember(op.stamp, '')
  return { 1 }
elseif op.kind == 'd' then
  if k.d ~= op.stamp then return { 0 } end
  redis.call('HSET', k.h, 'dd', op.digest)
  setMember(op.stamp, '')
  return { 1 }
end
return { repairItem() }
`,
)
