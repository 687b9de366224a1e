import { defineScript, type RedisScript } from '../script.ts'

/** Removes hints that are still the same. Keys: meta, hints. Arguments: identity, writer, count, … */
export const REMOVE_HINTS: RedisScript = defineScript(
  'remove-hints-2',
  `
for i = 2, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return 1
`,
)
