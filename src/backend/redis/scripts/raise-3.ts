import { defineScript, type RedisScript } from './script.ts'

/**
 * Raises hints and cursors. Keys: meta, hints, cursors. Arguments: identity, number of hints, their
 * writers, then writer and LSN of each cursor. Returns the number of changes so far, or 0 without hints.
 */
export const RAISE: RedisScript = defineScript(
  'raise-3',
  `
local hints = tonumber(ARGV[2])
for i = 3, 2 + hints do
  local hint = redis.call('HINCRBY', KEYS[1], 'hintCount', 1)
  count('hints', redis.call('HSET', KEYS[2], ARGV[i], hint))
end
for i = 3 + hints, #ARGV, 2 do
  local stored = redis.call('HGET', KEYS[3], ARGV[i])
  if not stored or tonumber(stored) < tonumber(ARGV[i + 1]) then
    count('cursors', redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]))
  end
end
return hints > 0 and redis.call('HINCRBY', KEYS[1], 'writes', 1) or 0
`,
)
