import { defineScript, type RedisScript } from './script.ts'

/**
 * Groups of this home shard that were left behind. Keys: meta, groups. Arguments: identity, age in
 * seconds. Returns for each: its name and its age.
 */
export const LIST_GROUPS: RedisScript = defineScript(
  'list-groups-2',
  `
local now, reply = tonumber(redis.call('TIME')[1]), {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local age = now - tonumber(all[i + 1]:match('^%S+ (%S+)'))
  if age > tonumber(ARGV[2]) then
    reply[#reply + 1] = all[i]
    reply[#reply + 1] = age
  end
end
return reply
`,
)
