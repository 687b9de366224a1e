/**
 * Appends a group as one entry, pending at the places named.
 *
 * Arguments: base, identity, group, `fresh` or `given`, consumer, bytes allowed, milliseconds that a
 * group is remembered, that a last stamp is, bytes, greatest stamp, operations, places, former
 * number (or empty), `1` when other partitions have marks, then for each key of this partition: key,
 * least and greatest stamp.
 *
 * Returns `lost` when the partition is another one, or entries of it are gone; `done` and the number when the group is there
 * already; `full` and the bytes pending; `behind` with keys and their last stamps; `ok` and the number.
 */
export const APPEND_LUA: string = `
local f = call('HMGET', META, 'identity', 'floor', 'bytes', 'head')
if f[1] ~= ARGV[2] or not isWhole() then return { 'lost' } end
local group, consumer, places, former = ARGV[3], ARGV[5], ARGV[12], ARGV[13]
local bytes = tonumber(ARGV[9])
if former ~= '' then
  local entry = entryOf(former)
  if entry and entry.g == group then return { 'done', former } end
else
  local n = ARGV[4] == 'fresh' and call('GET', B .. 'g:' .. group)
  if n then return { 'done', n } end
  if tonumber(f[3] or '0') + bytes > tonumber(ARGV[6]) then return { 'full', f[3] } end
end
local keys, lasts, behind = {}, {}, { 'behind' }
for i = 15, #ARGV, 3 do
  local key = ARGV[i]
  local last = call('GET', B .. 'l:' .. key) or ''
  keys[#keys + 1] = key
  lasts[#lasts + 1] = last
  if ARGV[4] == 'fresh' then
    if f[2] and f[2] > last then last = f[2] end
    if ARGV[i + 1] <= last then
      behind[#behind + 1] = key
      behind[#behind + 1] = last
    end
  end
end
if #behind > 1 then return behind end
local n = unpad(call('HINCRBY', META, 'n', 1))
call('XADD', S, idOf(n), 'o', ARGV[11], 'k', cmsgpack.pack(keys), 'g', group, 'b', ARGV[9])
for place in string.gmatch('pb', '.') do
  if string.find(places, place, 1, true) then
    -- The writer is its consumer from the start: nothing is ever there that belongs to nobody.
    call('XCLAIM', S, place, consumer, 0, idOf(n), 'FORCE', 'JUSTID', 'LASTID', idOf(n))
    for _, key in ipairs(keys) do index(place, n, key) end
  end
end
for i, key in ipairs(keys) do
  local greatest = ARGV[14 + 3 * i]
  if greatest > lasts[i] then call('SET', B .. 'l:' .. key, greatest, 'PX', ARGV[8]) end
end
if ARGV[4] == 'fresh' then call('SET', B .. 'g:' .. group, n, 'PX', ARGV[7]) end
if ARGV[14] == '1' then call('HSET', B .. 'x', group, n) end
call('HINCRBY', META, 'bytes', bytes)
call('HINCRBY', META, 'kept', 1)
if ARGV[10] > (f[4] or '') then call('HSET', META, 'head', ARGV[10]) end
return { 'ok', n }
`

/**
 * Marks keys of this partition that an entry of another partition is about to change. It also takes
 * the part of the sequencer for them. Repeating it is harmless.
 *
 * Arguments: base, identity, mark, `fresh` or `given`, milliseconds that a last stamp is remembered,
 * then key, least and greatest stamp. Returns `lost`, `behind` as above, or `ok`.
 */
export const MARK_LUA: string = `
local f = call('HMGET', META, 'identity', 'floor')
if f[1] ~= ARGV[2] then return { 'lost' } end
local behind = { 'behind' }
for i = 6, #ARGV, 3 do
  local key = ARGV[i]
  if ARGV[4] == 'fresh' and not call('ZSCORE', B .. 'm:' .. key, ARGV[3]) then
    local last = call('GET', B .. 'l:' .. key) or ''
    if f[2] and f[2] > last then last = f[2] end
    if ARGV[i + 1] <= last then
      behind[#behind + 1] = key
      behind[#behind + 1] = last
    end
  end
end
if #behind > 1 then return behind end
local now = call('TIME')[1]
for i = 6, #ARGV, 3 do
  local key, greatest = ARGV[i], ARGV[i + 2]
  call('ZADD', B .. 'm:' .. key, now, ARGV[3])
  for place in string.gmatch('pb', '.') do call('SADD', B .. 'k:' .. place, key) end
  if greatest > (call('GET', B .. 'l:' .. key) or '') then
    call('SET', B .. 'l:' .. key, greatest, 'PX', ARGV[5])
  end
end
return { 'ok' }
`

/**
 * Takes a mark away. Arguments: base, mark, seconds that it must be old, keys. One that is younger
 * may belong to an entry that is about to come.
 */
export const UNMARK_LUA: string = `
local oldest = tonumber(call('TIME')[1]) - tonumber(ARGV[3])
for i = 4, #ARGV do
  local key = ARGV[i]
  local name = B .. 'm:' .. key
  local since = call('ZSCORE', name, ARGV[2])
  if since and tonumber(since) <= oldest then
    call('ZREM', name, ARGV[2])
    for place in string.gmatch('pb', '.') do
      if call('EXISTS', name, B .. 'i:' .. place .. ':' .. key) == 0 then
        call('SREM', B .. 'k:' .. place, key)
      end
    end
  end
end
return 0
`
