import { defineScript, type RedisScript } from './script.ts'

/**
 * Removes entries of keys that have none, when all keys have been mended. Keys: meta, then listed,
 * latest, heads and time. Arguments: identity, lower bounds among `listed` and `latest`, each empty at its
 * end. Returns the next ones. When both are at their end all parts count as whole.
 */
export const MEND_LISTS: RedisScript = defineScript(
  'mend-lists-5',
  `
local STEPS = 1000
local PARTS = { 'listed', 'latest', 'heads', 'time' }
local LISTED, LATEST, HEADS = KEYS[2], KEYS[3], KEYS[4]

local function turned(stamp)
  return (stamp:gsub('%x', function(digit) return string.format('%x', 15 - tonumber(digit, 16)) end))
end

local function isKept(part, member)
  local name = part == 'latest' and member:sub(37) or member
  local record = redis.call('HGET', HEADS, name)
  if part == 'listed' or not record then return record end
  local latest = sizesOf(record)
  return latest and turned(latest) == member:sub(1, 36)
end

local function mend(part, key, from)
  if from == '' then return '' end
  local page = redis.call('ZRANGEBYLEX', key, from, '+', 'LIMIT', 0, STEPS)
  for _, member in ipairs(page) do
    if not isKept(part, member) then count(part, -redis.call('ZREM', key, member)) end
  end
  return #page == STEPS and '(' .. page[STEPS] or ''
end

local listed, latest = mend('listed', LISTED, ARGV[2]), mend('latest', LATEST, ARGV[3])
if listed == '' and latest == '' then
  for i, part in ipairs(PARTS) do
    local size = redis.call(SETS[part] and 'ZCARD' or 'HLEN', KEYS[i + 1])
    redis.call('HSET', KEYS[1], 'n:' .. part, size)
  end
end
return { listed, latest }
`,
)
