/**
 * Operations on a key that a place lacks. Arguments: base, place, key, member after which to begin
 * (or empty), how many. Returns the member where to go on (or empty), marks of the key with their
 * age in seconds, then number and operations of each entry.
 */
export const PENDING_LUA: string = `
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local members = call('ZRANGEBYLEX', B .. 'i:' .. ARGV[2] .. ':' .. ARGV[3], from, '+', 'LIMIT', 0, ARGV[5])
local reply = { #members == tonumber(ARGV[5]) and members[#members] or '', {} }
if ARGV[4] == '' then reply[2] = call('ZRANGE', B .. 'm:' .. ARGV[3], 0, -1) end
for _, member in ipairs(members) do
  local n = unpad(member)
  local entry = entryOf(n)
  if entry then
    reply[#reply + 1] = n
    reply[#reply + 1] = entry.o
  end
end
return reply
`

/**
 * Entries that marks of another partition stand for. Arguments: base, place, groups. Returns for
 * each: number and operations if the place lacks it, '' and '' if it has it, '-' and '' if the group
 * is not here.
 */
export const RESOLVE_LUA: string = `
local reply = {}
for i = 3, #ARGV do
  local n = call('HGET', B .. 'x', ARGV[i])
  local entry = n and isPending(ARGV[2], n) and entryOf(n)
  reply[#reply + 1] = entry and n or (n and '' or '-')
  reply[#reply + 1] = entry and entry.o or ''
end
return reply
`

/** Operations of entries, '' for those that are gone. Arguments: base, numbers. */
export const FETCH_LUA: string = `
local reply = {}
for i = 2, #ARGV do
  local entry = entryOf(ARGV[i])
  reply[#reply + 1] = entry and entry.o or ''
end
return reply
`

/**
 * Takes over entries of consumers that have left them alone for the lease time, or that ended.
 * Arguments: base, place, consumer (WRITER/CONNECTION), lease in milliseconds, how many, writers that ended. Returns
 * number, operations, group (or empty, when no other partition has marks) and bytes of each.
 */
export const CLAIM_LUA: string = `
local place, me, lease, limit = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
-- Nobody's, and those of the consumer's own earlier connections.
local ended = { ['-'] = true, [writerOf(me)] = true }
for i = 6, #ARGV do ended[ARGV[i]] = true end
local reply = {}
for _, pair in ipairs(call('XPENDING', S, place)[4] or {}) do
  local consumer = pair[1]
  local left = limit - #reply / 4
  if consumer ~= me and left > 0 then
    local idle = ended[writerOf(consumer)] and '0' or lease
    for _, item in ipairs(call('XPENDING', S, place, 'IDLE', idle, '-', '+', left, consumer)) do
      call('XCLAIM', S, place, me, idle, item[1], 'JUSTID')
      local n = numberOf(item[1])
      local entry = entryOf(n)
      if entry then
        give(reply, n, entry)
      else
        call('XACK', S, place, item[1])
      end
    end
  end
end
return reply
`

/**
 * Entries that a place refuses for good. Arguments: base, place, how many. Returns as CLAIM does.
 */
export const REFUSED_LUA: string = `
local reply = {}
for _, member in ipairs(call('ZRANGE', B .. 'd:' .. ARGV[2], 0, ARGV[3] - 1)) do
  local n = unpad(member)
  local entry = entryOf(n)
  if entry then
    give(reply, n, entry)
  end
end
return reply
`

/** The same as a list for people. Returns for each: operations, reason as JSON. */
export const LETTERS_LUA: string = `
local reply = {}
for _, member in ipairs(call('ZRANGE', B .. 'd:' .. ARGV[2], 0, ARGV[3] - 1)) do
  local n = unpad(member)
  local entry = entryOf(n)
  if entry then
    reply[#reply + 1] = entry.o
    reply[#reply + 1] = call('HGET', B .. 'r:' .. ARGV[2], n) or '""'
  end
end
return reply
`

/**
 * Says of entries whether a place lacks them still. Arguments: base, place, consumer, lease in
 * milliseconds, `1` to go on with them, numbers. Returns for each `0`: the place has it; `1`: it is
 * the consumer's; `2`: another one is about to bring it.
 */
export const TOUCH_LUA: string = `
local place, me, lease, wanted = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == '1'
local reply = {}
for i = 6, #ARGV do
  local n = ARGV[i]
  local item = call('XPENDING', S, place, idOf(n), idOf(n), 1)[1]
  if not item then
    reply[#reply + 1] = call('ZSCORE', B .. 'd:' .. place, pad(n)) and '2' or '0'
  elseif item[2] ~= '-' and writerOf(item[2]) ~= writerOf(me) and item[3] < lease then
    reply[#reply + 1] = '2'
  else
    if wanted then call('XCLAIM', S, place, me, 0, idOf(n), 'JUSTID') end
    reply[#reply + 1] = '1'
  end
end
return reply
`

/**
 * Arguments: base, consumer, lease in milliseconds. Returns identity (empty when entries are gone), n, head, bytes, entries kept,
 * then for each place whether there is something to take over.
 */
export const POLL_LUA: string = `
local f = call('HMGET', META, 'identity', 'n', 'head', 'bytes')
local found = f[1] and isWhole() and f[1] or ''
local reply = { found, f[2] or '0', f[3] or '', f[4] or '0', call('XLEN', S) }
if found == '' then return reply end
for place in string.gmatch('pb', '.') do
  local found = 0
  for _, pair in ipairs(call('XPENDING', S, place)[4] or {}) do
    if found == 0 and pair[1] ~= ARGV[2] then
      found = #call('XPENDING', S, place, 'IDLE', ARGV[3], '-', '+', 1, pair[1])
    end
  end
  reply[#reply + 1] = found
end
return reply
`

/**
 * The writer is alive, or ends. Arguments: base, writer, `open`, `alive` or `end`, milliseconds after
 * which a silent writer is dead. Returns the writers that ended or died, oldest first.
 */
export const WRITERS_LUA: string = `
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] ~= 'alive' or call('ZSCORE', B .. 'w', ARGV[2]) == false then
  if call('ZSCORE', B .. 'w', ARGV[2]) == false then
    call('ZADD', B .. 'w', call('HINCRBY', META, 'writers', 1), ARGV[2])
  end
end
call('HSET', B .. 'a', ARGV[2], ARGV[3] == 'end' and 0 or unpad(now))
local reply = {}
for _, writer in ipairs(call('ZRANGE', B .. 'w', 0, -1)) do
  local since = tonumber(call('HGET', B .. 'a', writer) or '0')
  if writer ~= ARGV[2] and since < now - tonumber(ARGV[4]) then reply[#reply + 1] = writer end
end
while call('ZCARD', B .. 'w') > 1000 do
  call('HDEL', B .. 'a', call('ZPOPMIN', B .. 'w')[1])
end
return reply
`
