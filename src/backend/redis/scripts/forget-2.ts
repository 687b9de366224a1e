import { defineScript, type RedisScript } from './script.ts'

/** Forgets a group that has ended in every shard. Keys: meta, groups. Arguments: identity, group. */
export const FORGET: RedisScript = defineScript(
  'forget-2',
  `
local removed = redis.call('HDEL', KEYS[2], ARGV[2])
count('groups', -removed)
return removed
`,
)
