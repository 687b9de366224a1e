import { defineScript, type RedisScript } from './script.ts'
import { JUDGE_LUA } from './judge-lua.ts'
import { MERGE_LUA } from './merge-lua.ts'

/**
 * Applies (`commit`) or forgets (`abort`) this shard's part of a decided group and lets its keys go.
 * Nothing happens where that was done before. Keys: as `prepare-n`, the same ones in the same order.
 * Arguments: identity, length of what stands before a key, group, `commit` or `abort`.
 * Returns the number of changes so far, or 0.
 */
export const FINISH: RedisScript = defineScript(
  'finish-n',
  'local PREFIX_LENGTH = tonumber(ARGV[2])\n',
  MERGE_LUA,
  JUDGE_LUA,
  `
local packed = redis.call('HGET', INTENTS, ARGV[3])
if not packed then return { 0 } end
local names, ops = unpack(cmsgpack.unpack(packed))
local writes = 0
if ARGV[4] == 'commit' and #ops > 0 then
  local keys, effective = {}, {}
  for i, f in ipairs(ops) do
    local op = { kind = f[1], key = f[2], id = f[3], position = f[4], stamp = f[5], digest = f[6], value = f[7] }
    keys[op.key] = keys[op.key] or openKey(op.key)
    merge(keys[op.key], op)
    effective[i] = op
  end
  for _, k in pairs(keys) do write(k) end
  writeLists()
  writes = noteChange(headOfOps(effective, nil))
end
for _, name in ipairs(names) do
  local lock = redis.call('HGET', LOCKS, name)
  if lock and lock:match('^%S+') == ARGV[3] then
    count('locks', -redis.call('HDEL', LOCKS, name))
  end
end
count('intents', -redis.call('HDEL', INTENTS, ARGV[3]))
return { writes }
`,
)
