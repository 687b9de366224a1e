import { defineScript, type RedisScript } from './script.ts'
import { FENCE_LUA } from './fence-lua.ts'

/**
 * Removes hints that are still the same. Keys: meta, leases, hints. Arguments: identity, name and
 * token of the fence, then writer and count of each.
 */
export const REMOVE_HINTS: RedisScript = defineScript(
  'remove-hints-3',
  FENCE_LUA,
  `
for i = 4, #ARGV, 2 do
  if redis.call('HGET', KEYS[3], ARGV[i]) == ARGV[i + 1] then
    count('hints', -redis.call('HDEL', KEYS[3], ARGV[i]))
  end
end
return { 'DONE' }
`,
)
