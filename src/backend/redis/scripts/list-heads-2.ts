import { defineScript, type RedisScript } from './script.ts'

/**
 * Keys that have a record, each once or more often, in no order. Keys: meta, heads. Arguments: identity,
 * cursor (at first `0`). Returns the next cursor (`0` at the end), then the keys.
 */
export const LIST_HEADS: RedisScript = defineScript(
  'list-heads-2',
  `
local page = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', 500)
local reply = { page[1] }
for i = 1, #page[2], 2 do reply[#reply + 1] = page[2][i] end
return reply
`,
)
