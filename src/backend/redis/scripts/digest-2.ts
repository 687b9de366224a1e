import { defineScript, type RedisScript } from './script.ts'

/**
 * Sums the names in the digests of a part of the time line, in halves (`core/digest.ts`). Keys: meta, time. Arguments: identity, lower bound,
 * end of the range, members to look at, then the place where each bucket but the first begins.
 * Returns where to go on (or empty), then count, low and high of each bucket.
 */
export const DIGEST: RedisScript = defineScript(
  'digest-2',
  `
local steps = tonumber(ARGV[4])
local members = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[2], '(' .. ARGV[3], 'LIMIT', 0, steps)
local reply, bucket = { #members == steps and '(' .. members[steps] or '' }, 1
for i = 1, 3 * (#ARGV - 3) do reply[1 + i] = 0 end
for _, member in ipairs(members) do
  local place = member:sub(1, 36)
  while ARGV[4 + bucket] and ARGV[4 + bucket] <= place do bucket = bucket + 1 end
  local at = 3 * bucket - 1
  reply[at] = reply[at] + 1
  local digest = tonumber(member:sub(37, 43), 16)
  reply[at + 1] = reply[at + 1] + digest % 16384
  reply[at + 2] = reply[at + 2] + math.floor(digest / 16384)
end
return reply
`,
)
