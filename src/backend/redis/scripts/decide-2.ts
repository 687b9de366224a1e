import { defineScript, type RedisScript } from './script.ts'

/**
 * The one place where a group over several shards is decided: its record in the home shard.
 * Keys: meta, groups. Arguments: identity, group, `commit`, `abort` or `ask` (which aborts a group
 * that is older than the limit), or `forget` (one that has ended in every shard); limit in seconds.
 * Returns `committed`, `aborted` or `pending`, and the shards of the group.
 */
export const DECIDE: RedisScript = defineScript(
  'decide-2',
  `
local group, wish, now = ARGV[2], ARGV[3], redis.call('TIME')[1]
if wish == 'forget' then
  count('groups', -redis.call('HDEL', KEYS[2], group))
  return { 'aborted', '' }
end
local record = redis.call('HGET', KEYS[2], group)
if not record then
  -- Its part here may still be on its way: it will find this, and do nothing.
  if wish ~= 'commit' then
    count('groups', redis.call('HSET', KEYS[2], group, 'aborted ' .. now .. ' '))
  end
  return { 'aborted', '' }
end
local state, at, shards = record:match('^(%S+) (%S+) (.*)$')
if state ~= 'pending' then return { state, shards } end
if wish == 'commit' then
  state = 'committed'
elseif wish == 'abort' or tonumber(now) - tonumber(at) > tonumber(ARGV[4]) then
  state = 'aborted'
else
  return { state, shards }
end
redis.call('HSET', KEYS[2], group, state .. ' ' .. now .. ' ' .. shards)
return { state, shards }
`,
)
