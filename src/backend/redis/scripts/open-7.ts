import { rawScript, type RedisScript } from './script.ts'
import { RAW_NOTES_LUA } from './notes-lua.ts'

/**
 * Looks at a shard's meta and notes which run of the server it is in. Keys: as `notes-lua.ts`.
 * Arguments: the server's run id. Returns identity, `making` or `ready`, number of shards, changes so
 * far, changes when this run was first seen, the name of a note that is missing
 * (or empty), and the format of the records.
 */
export const OPEN: RedisScript = rawScript(
  'open-7',
  RAW_NOTES_LUA,
  `
local f = redis.call('HMGET', KEYS[1], 'identity', 'state', 'shards', 'writes', 'run', 'base', 'format')
local writes = f[4] or '0'
local lost = f[1] and lostNote() or ''
if f[1] and f[5] ~= ARGV[1] then
  -- Not while the server takes no writes: what is there can be read all the same.
  redis.pcall('HSET', KEYS[1], 'run', ARGV[1], 'base', writes)
  f[6] = writes
end
return { f[1], f[2], f[3], writes, f[6] or writes, lost, f[7] }
`,
)
