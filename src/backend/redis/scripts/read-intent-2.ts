import { defineScript, type RedisScript } from './script.ts'

/** The keys that a group holds in this shard. Keys: meta, intents. Arguments: identity, group. */
export const READ_INTENT: RedisScript = defineScript(
  'read-intent-2',
  `
local packed = redis.call('HGET', KEYS[2], ARGV[2])
if not packed then return {} end
return cmsgpack.unpack(packed)[1]
`,
)
