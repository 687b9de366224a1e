import { defineScript, type RedisScript } from './script.ts'

/** Members of the time line. Keys: meta, time. Arguments: identity, lower bound, end, number. */
export const READ_TIME: RedisScript = defineScript(
  'read-time-2',
  `
return redis.call('ZRANGEBYLEX', KEYS[2], ARGV[2], '(' .. ARGV[3], 'LIMIT', 0, ARGV[4])
`,
)
