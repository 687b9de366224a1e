import { defineScript, type RedisScript } from './script.ts'
import { MERGE_LUA } from './merge-lua.ts'
import { READABLE_LUA } from './readable-lua.ts'

/**
 * Removes members of the time line that stand for nothing. Keys: the shard's own, hash and set of each
 * key. Arguments: identity, length of what stands before the key in a name, then the number of the key and
 * the member, for each. Returns how many were removed.
 */
export const MEND_TIME: RedisScript = defineScript(
  'mend-time-n',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  READABLE_LUA,
  `
local function stands(h, member)
  local name, kind = h:sub(PREFIX_LENGTH + 1), member:sub(49, 49)
  if kind == 'd' or kind == 's' then
    local f = redis.call('HMGET', h, kind, kind .. 'd')
    return f[1] and f[2] and member == f[1] .. f[2] .. kind .. name .. '\\0'
  end
  local id = member:sub(51 + #name)
  if id == '' then id = member:sub(1, 36) end
  local raw = redis.call('HGET', h, '.' .. id)
  if not raw then return false end
  local item = readable(raw)
  if not item then return true end
  local _, moments = membersOf(name, id, item)
  return contains(moments, member)
end

local gone = {}
for i = 3, #ARGV, 2 do
  local h = KEYS[FIRST_KEY + 2 * tonumber(ARGV[i])]
  if not stands(h, ARGV[i + 1]) then gone[#gone + 1] = ARGV[i + 1] end
end
local removed = chunked('ZREM', TIME, gone)
count('time', -removed)
return { removed }
`,
)
