import { defineScript, type RedisScript } from './script.ts'

/**
 * Keys of a shard by the position of their latest item. Keys: meta, listed, latest, heads.
 * Arguments: identity, prefix, lower bound among `latest`, number, keys below which a prefix is
 * read whole, members of `latest` that are looked at in one call.
 * Returns `all` and key and position of all keys of a prefix that has few; or `page` (the bound where to go on,
 * or empty), then key and position turned round.
 */
export const LIST_LATEST: RedisScript = defineScript(
  'list-latest-4',
  `
for i, part in ipairs({ 'listed', 'latest', 'heads' }) do
  if not isWhole(part, KEYS[i + 1]) then return damaged(KEYS[i + 1]) end
end
local prefix, min, number = ARGV[2], ARGV[3], tonumber(ARGV[4])
local few, steps = tonumber(ARGV[5]), tonumber(ARGV[6])
local first, last = '[' .. prefix, '(' .. prefix .. '\\255'

if prefix ~= '' and redis.call('ZLEXCOUNT', KEYS[2], first, last) <= few then
  local reply = { 'all', '' }
  local keys = redis.call('ZRANGEBYLEX', KEYS[2], first, last)
  if #keys == 0 then return reply end
  local heads = redis.call('HMGET', KEYS[4], unpack(keys))
  for i, key in ipairs(keys) do
    local latest = sizesOf(heads[i])
    if latest then
      reply[#reply + 1] = key
      reply[#reply + 1] = latest
    end
  end
  return reply
end

local reply, found = { 'page', '' }, 0
local members = redis.call('ZRANGEBYLEX', KEYS[3], min, '+', 'LIMIT', 0, steps)
for i, member in ipairs(members) do
  local key = member:sub(37)
  if key:sub(1, #prefix) == prefix then
    reply[#reply + 1] = key
    reply[#reply + 1] = member:sub(1, 36)
    found = found + 1
    if found == number then return reply end
  end
end
if #members == steps then reply[2] = '(' .. members[steps] end
return reply
`,
)
