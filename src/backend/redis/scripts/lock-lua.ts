/** Refuses to read a key that a group over several shards holds: its second key are the locks. */
export const LOCK_LUA = `
local lock = redis.call('HGET', KEYS[2], ARGV[2])
if lock then return redis.error_reply('LOCKED ' .. lock) end
`
