/**
 * Looks at a partition, makes it if it is not there, and notes which run of the server it is in.
 *
 * In a new run entries may be missing that clients know of. Their numbers are never given out again:
 * the next one lies far above those that were lost. And no stamp is fresh any more that a client has
 * seen. The same where entries are gone that the partition should have: it gets a new identity.
 *
 * Arguments: base, new identity, partitions, run that the client saw last (or empty), its greatest
 * number, its greatest stamp (or empty). Returns identity, partitions, run, n, head, bytes, `new` or
 * `old`.
 */
export const OPEN_LUA: string = `
local JUMP = 131072
local run = string.match(call('INFO', 'server'), 'run_id:(%x+)') or 'unknown'
local f = call('HMGET', META, 'identity', 'partitions', 'run', 'n', 'floor')
local known = tonumber(ARGV[5])
local state = 'old'
if not f[1] then
  state = 'new'
  f = { ARGV[2], ARGV[3], run, '0', '' }
  call('HSET', META, 'identity', f[1], 'partitions', f[2], 'run', run, 'n', 0, 'bytes', 0)
  if known > 0 then f[3] = '' end
end
for _, place in ipairs({ 'p', 'b' }) do
  redis.pcall('XGROUP', 'CREATE', S, place, 0, 'MKSTREAM')
  for _, consumer in ipairs(call('XINFO', 'CONSUMERS', S, place)) do
    local name, pending
    for i = 1, #consumer, 2 do
      if consumer[i] == 'name' then name = consumer[i + 1] end
      if consumer[i] == 'pending' then pending = consumer[i + 1] end
    end
    if pending == 0 then call('XGROUP', 'DELCONSUMER', S, place, name) end
  end
end
if state == 'old' and not isWhole() then
  -- Somebody else has removed entries: whoever knows of them finds another partition.
  f[1] = ARGV[2]
  local bytes, from = 0, '-'
  while true do
    local found = call('XRANGE', S, from, '+', 'COUNT', 500)
    for _, item in ipairs(found) do
      local m = numberOf(item[1])
      if isPending('p', m) or isPending('b', m) then bytes = bytes + tonumber(entryOf(m).b) end
      from = '(' .. item[1]
    end
    if #found < 500 then break end
  end
  call('HSET', META, 'identity', f[1], 'bytes', unpad(bytes))
end
call('HSET', META, 'kept', call('XLEN', S))
local n = tonumber(f[4] or '0')
if f[3] ~= run or known > n then
  n = math.max(n, known) + JUMP
  call('HSET', META, 'n', n, 'run', run)
end
if ARGV[4] ~= '' and ARGV[4] ~= run and ARGV[6] > (f[5] or '') then
  call('HSET', META, 'floor', ARGV[6])
end
local m = call('HMGET', META, 'head', 'bytes')
return { f[1], f[2], run, unpad(n), m[1] or '', m[2] or '0', state }
`
