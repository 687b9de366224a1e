/*
 * Whether anything is missing of what a script goes by.
 *
 * The meta of a shard counts the members of each of its parts (`n:PART`), and the record of a key in
 * `heads` counts those of its hash and its set. Writers add what they have added, and take away what
 * they have taken away: so a count and the size that it counts differ by what was lost, for as long as
 * that is not mended, whatever is written meanwhile.
 *
 * A record: position of the latest visible item (STAMP_MIN: none), members of the set, fields of the hash.
 */
export const WHOLE_LUA = `
local SETS = { listed = true, latest = true, time = true }

local function isWhole(part, key)
  local size = redis.call(SETS[part] and 'ZCARD' or 'HLEN', key)
  return size == tonumber(redis.call('HGET', KEYS[1], 'n:' .. part))
end

local function count(part, change)
  if change ~= 0 then redis.call('HINCRBY', KEYS[1], 'n:' .. part, change) end
end

local function damaged(key) return redis.error_reply('DAMAGED ' .. key) end

-- The latest position, and how many members and fields there should be: -1 when the record is damaged.
local function sizesOf(record)
  if not record then return nil, 0, 0 end
  local latest, members, fields = record:match('^(%S+) (%-?%d+) (%-?%d+)$')
  if latest == '00000000-0000-0000-0000-000000000000' then latest = nil end
  return latest, tonumber(members) or -1, tonumber(fields) or -1
end

-- The name of what has lost something, of all that says how a key stands; the set may be left out.
local function lostOf(heads, name, h, z)
  if not isWhole('heads', heads) then return heads end
  local _, members, fields = sizesOf(redis.call('HGET', heads, name))
  if redis.call('HLEN', h) ~= fields then return h end
  if z and redis.call('ZCARD', z) ~= members then return z end
  return nil
end
`
