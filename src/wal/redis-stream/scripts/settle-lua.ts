/** Trims what no place lacks: below the oldest entry of both groups and of what was set aside. */
const TRIM_LUA = `
local function trim()
  local low = call('HGET', META, 'n') + 1
  for place in string.gmatch('pb', '.') do
    local first = call('XPENDING', S, place)[2]
    if first then low = math.min(low, tonumber(numberOf(first))) end
    local refused = call('ZRANGE', B .. 'd:' .. place, 0, 0)[1]
    if refused then low = math.min(low, tonumber(refused)) end
  end
  -- By number, never by length: what a place lacks is above.
  local removed = call('XTRIM', S, 'MINID', '=', idOf(unpad(low)))
  if removed > 0 then call('HINCRBY', META, 'kept', -removed) end
end
`

/**
 * A place has these entries. Arguments: base, place, then for each entry: number, bytes, group (or
 * empty, when no other partition has marks), number of keys, keys. Returns the entries that no place
 * lacks any more. Repeating it is harmless.
 */
export const ACKNOWLEDGE_LUA: string = `${TRIM_LUA}
local place = ARGV[2]
local other = place == 'p' and 'b' or 'p'
local finished = {}
local at = 3
while at <= #ARGV do
  local n, bytes, group, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local was = call('XACK', S, place, idOf(n)) + call('ZREM', B .. 'd:' .. place, pad(n))
  if was > 0 then
    call('HDEL', B .. 'r:' .. place, n)
    for i = at + 4, at + 3 + count do unindex(place, n, ARGV[i]) end
    if not isPending(other, n) then
      call('HINCRBY', META, 'bytes', -tonumber(bytes))
      if group ~= '' then call('HDEL', B .. 'x', group) end
      finished[#finished + 1] = n
    end
  end
  at = at + 4 + count
end
if #finished > 0 then trim() end
return finished
`

/** Sets an entry aside. Arguments: base, place, number, reason. */
export const QUARANTINE_LUA: string = `
local place, n = ARGV[2], ARGV[3]
if call('XACK', S, place, idOf(n)) > 0 then
  call('ZADD', B .. 'd:' .. place, 0, pad(n))
  call('HSET', B .. 'r:' .. place, n, ARGV[4])
end
return 0
`

/**
 * Takes back that entries were set aside: they are pending, and this consumer's to bring. Arguments:
 * base, place, consumer, how many at most. Returns as CLAIM does, and fewer when there are no more.
 */
export const RETRY_LUA: string = `
local place, me = ARGV[2], ARGV[3]
local reply = {}
for _, member in ipairs(call('ZRANGE', B .. 'd:' .. place, 0, ARGV[4] - 1)) do
  local n = unpad(member)
  local entry = entryOf(n)
  call('ZREM', B .. 'd:' .. place, member)
  call('HDEL', B .. 'r:' .. place, n)
  if entry then
    call('XCLAIM', S, place, me, 0, idOf(n), 'FORCE', 'JUSTID')
    give(reply, n, entry)
  end
end
return reply
`

/**
 * Makes entries that are still there pending at a place again. They belong to nobody, so that any
 * process may take them. Arguments: base, place, first number, how many. Returns where to go on.
 */
export const RESEND_LUA: string = `
local place = ARGV[2]
local other = place == 'p' and 'b' or 'p'
local found = call('XRANGE', S, idOf(ARGV[3]), '+', 'COUNT', ARGV[4])
local last = ''
for _, item in ipairs(found) do
  local n = numberOf(item[1])
  last = unpad(n + 1)
  if not isPending(place, n) then
    local entry = entryOf(n)
    if not isPending(other, n) then call('HINCRBY', META, 'bytes', entry.b) end
    call('XCLAIM', S, place, '-', 0, item[1], 'FORCE', 'JUSTID')
    for _, key in ipairs(cmsgpack.unpack(entry.k)) do index(place, n, key) end
  end
end
return last
`
