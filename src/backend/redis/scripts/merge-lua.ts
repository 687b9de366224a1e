/*
 * The state of a key and the merge of operations into it, as `core/merge.ts` has them, in Lua.
 *
 * A key is one hash and one sorted set, both of which its shard's scripts alone write:
 *
 *   hash   d, dd      deletedThrough and its digest
 *          s, sd, v   the register: stamp, digest, value
 *          .ID        an item as a record
 *   set    all scores 0, so members are ordered by their bytes:
 *          oPOSITION ID   items that a reader sees; the id is left out where it is the position
 *          mPOSITION ID   removed items
 *          xEDITED ID     items with an edit, or with a part at another position than the greatest
 *
 * A record is one letter, the greatest position of its parts, and then
 *
 *   a   digest, value    appended, never edited: nearly all items
 *   q   digest           removed
 *   y   appendedAt, digest, editedOf, editedAt, digest, removedOf, digest, appended NUL edited
 *                        anything else
 *
 * with STAMP_MIN for what is not there. JSON text has no NUL. (r and x were the letters of records
 * without editedOf and removedOf: `upgrade-12.ts`.) The shard has besides, over all keys:
 *
 *   listed   a sorted set of the keys that are listed
 *   heads    a hash from each key that has anything to its record (`whole-lua.ts`)
 *   latest   a sorted set of that position with its digits turned round, then the key: latest first
 *   time     a sorted set of PLACE DIGEST KIND KEY NUL ID: all that digests and scans need
 *
 * Only stamps are compared with `<` in Lua, because it follows the locale of the server: they have
 * digits and lowercase letters at the same places. Everything else is compared by sorted sets.
 *
 * Nothing is written before a group has been judged whole: a script that fails is not undone.
 */
export const MERGE_LUA = `
local MIN = '00000000-0000-0000-0000-000000000000'
local NO_DIGEST = '000000000000'
local META, LISTED, LATEST, HEADS, TIME = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LOCKS, HINTS, CURSORS, INTENTS, GROUPS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local FIRST_KEY = 11
local CHUNK = 1000

local function later(a, b)
  if a == nil then return b end
  if b == nil or a >= b then return a end
  return b
end

local function isGone(stamp, d) return d ~= nil and stamp <= d end

local function decode(raw)
  local kind, p = raw:sub(1, 1), raw:sub(2, 37)
  if kind == 'q' then return { p = p, ro = p, rd = raw:sub(38, 49) } end
  if kind == 'a' then return { p = p, a = p, ad = raw:sub(38, 49), av = raw:sub(50) } end
  local item, a, eo, ro = { p = p }, raw:sub(38, 73), raw:sub(86, 121), raw:sub(170, 205)
  local split = raw:find('\\0', 218, true)
  if a ~= MIN then item.a, item.ad, item.av = a, raw:sub(74, 85), raw:sub(218, split - 1) end
  if eo ~= MIN then
    item.eo, item.e, item.ed, item.ev = eo, raw:sub(122, 157), raw:sub(158, 169), raw:sub(split + 1)
  end
  if ro ~= MIN then item.ro, item.rd = ro, raw:sub(206, 217) end
  return item
end

local function encode(item)
  if item.eo == nil then
    if item.ro == nil then return 'a' .. item.p .. item.ad .. item.av end
    if item.a == nil then return 'q' .. item.p .. item.rd end
  end
  return 'y' .. item.p .. (item.a or MIN) .. (item.ad or NO_DIGEST)
    .. (item.eo or MIN) .. (item.e or MIN) .. (item.ed or NO_DIGEST)
    .. (item.ro or MIN) .. (item.rd or NO_DIGEST) .. (item.av or '') .. '\\0' .. (item.ev or '')
end

local function itemStamp(item) return later(item.p, item.e) end

-- By the position that the edit belongs to, then by its stamp.
local function isLaterEdit(a, b)
  local x, y = a.eo or MIN, b.eo or MIN
  if x == y then return (a.e or MIN) > (b.e or MIN) end
  return x > y
end

-- The parts of these three items that stand above the bounds, as one item.
local function partsAbove(x, y, z, bound, removalBound)
  local item = { p = later(x.p, later(y.p, z.p)) }
  if x.a and x.a > bound then item.a, item.ad, item.av = x.a, x.ad, x.av end
  if y.eo and y.eo > bound then item.eo, item.e, item.ed, item.ev = y.eo, y.e, y.ed, y.ev end
  if z.ro and z.ro > removalBound then item.ro, item.rd = z.ro, z.rd end
  return item
end

local function join(a, b)
  local x = (a.a or MIN) >= (b.a or MIN) and a or b
  local y = isLaterEdit(b, a) and b or a
  local z = (a.ro or MIN) >= (b.ro or MIN) and a or b
  local item = partsAbove(x, y, z, z.ro or MIN, MIN)
  item.p = later(a.p, b.p)
  return item
end

-- The item without what is gone; false when nothing is left of it.
local function withoutCleared(item, d)
  d = d or MIN
  if item.p <= d then return false end
  if (item.a or item.p) > d and (item.eo or item.p) > d and (item.ro or item.p) > d then return item end
  return partsAbove(item, item, item, d, d)
end

local function suffix(id, position) return id == position and '' or id end

-- Members of the key's own sorted set and of the shard's time line that stand for an item.
local function membersOf(name, id, item)
  local own, time = {}, {}
  if not item then return own, time end
  local function at(place, digest, kind)
    time[#time + 1] = place .. digest .. kind .. name .. '\\0' .. suffix(id, place)
  end
  own[1] = (item.ro and 'm' or 'o') .. item.p .. suffix(id, item.p)
  if item.e or (item.a or item.p) ~= item.p or (item.ro or item.p) ~= item.p then
    own[2] = 'x' .. (item.e or MIN) .. id
  end
  if item.ro then at(item.ro, item.rd, 'r') end
  if item.a then at(item.a, item.ad, 'a') end
  if item.eo then at(item.eo, item.ed, 'e') end
  return own, time
end

local function idOfMember(member)
  local id = member:sub(38)
  return id == '' and member:sub(2, 37) or id
end

-- Returns how many came or went.
local function chunked(command, key, list)
  local changed = 0
  for first = 1, #list, CHUNK do
    changed = changed
      + redis.call(command, key, unpack(list, first, math.min(first + CHUNK - 1, #list)))
  end
  return changed
end

local function keep(k, id, raw)
  local item = raw and decode(raw) or false
  k.items[id], k.stood[id], k.loaded = item, item, k.loaded + 1
end

-- A key as it stands, and what a group makes of it before it is written; with an item, if named.
local function openKey(number, id)
  local h = KEYS[FIRST_KEY + 2 * number]
  -- Any other field stands for no item: a nil is no argument.
  local f = redis.call('HMGET', h, 'd', 'dd', 's', 'sd', id and '.' .. id or 'd')
  local k = {
    h = h, z = KEYS[FIRST_KEY + 2 * number + 1], name = h:sub(PREFIX_LENGTH + 1),
    d = f[1] or nil, dd = f[2] or nil, s = f[3] or nil, sd = f[4] or nil,
    oldD = f[1] or nil, oldDd = f[2] or nil, oldS = f[3] or nil, oldSd = f[4] or nil,
    items = {}, stood = {}, loaded = 0,
  }
  if id then keep(k, id, f[5]) end
  return k
end

local function load(k, id)
  if k.items[id] == nil then keep(k, id, redis.call('HGET', k.h, '.' .. id)) end
  return k.items[id]
end

local function loadAll(k, members)
  local ids, fields = {}, {}
  local function fetch()
    if #ids == 0 then return end
    local raws = redis.call('HMGET', k.h, unpack(fields))
    for i, id in ipairs(ids) do keep(k, id, raws[i]) end
    ids, fields = {}, {}
  end
  for _, member in ipairs(members) do
    local id = idOfMember(member)
    if k.items[id] == nil then
      ids[#ids + 1], fields[#fields + 1] = id, '.' .. id
      if #ids == CHUNK then fetch() end
    end
  end
  fetch()
end

-- The greatest stamp among the stored members of a kind whose items are not at hand.
local function lastStored(k, kind, above)
  local members = redis.call('ZREVRANGEBYLEX', k.z, '(' .. above, '[' .. kind, 'LIMIT', 0, k.loaded + 1)
  for _, member in ipairs(members) do
    if k.items[idOfMember(member)] == nil then return member:sub(2, 37) end
  end
  return nil
end

local function headOf(k)
  local head = later(k.s, later(lastStored(k, 'o', 'p'), later(lastStored(k, 'm', 'n'), lastStored(k, 'x', 'y'))))
  for _, item in pairs(k.items) do
    if item then head = later(head, itemStamp(item)) end
  end
  if head == MIN then return nil end
  return head
end

local function mergeDelete(k, op)
  if k.d and op.stamp <= k.d then return end
  for _, kind in ipairs({ 'o', 'm' }) do
    loadAll(k, redis.call('ZRANGEBYLEX', k.z, '[' .. kind, '[' .. kind .. op.stamp .. '\\255'))
  end
  loadAll(k, redis.call('ZRANGEBYLEX', k.z, '[x', '(y'))
  k.d, k.dd = op.stamp, op.digest
  if k.s and k.s <= op.stamp then k.s, k.sd, k.v = nil, nil, nil end
  for id, item in pairs(k.items) do
    if item then k.items[id] = withoutCleared(item, k.d) end
  end
end

local function mergeSet(k, op)
  if isGone(op.stamp, k.d) then return end
  if k.s == nil or op.stamp > k.s then k.s, k.sd, k.v = op.stamp, op.digest, op.value end
end

local function itemOf(op)
  if op.kind == 'a' then return { p = op.position, a = op.position, ad = op.digest, av = op.value } end
  if op.kind == 'e' then
    return { p = op.position, eo = op.position, e = op.stamp, ed = op.digest, ev = op.value }
  end
  return { p = op.position, ro = op.position, rd = op.digest }
end

local function merge(k, op)
  if op.kind == 'd' then return mergeDelete(k, op) end
  if op.kind == 's' then return mergeSet(k, op) end
  local existing, arriving = load(k, op.id), itemOf(op)
  k.items[op.id] = withoutCleared(existing and join(existing, arriving) or arriving, k.d)
end

local function contains(list, member)
  return list[1] == member or list[2] == member or list[3] == member
end

-- Adds what is in one list only to another. The lists have at most three members.
local function without(list, other, target, scored)
  for _, member in ipairs(list) do
    if not contains(other, member) then
      if scored then target[#target + 1] = 0 end
      target[#target + 1] = member
    end
  end
end

-- Each digit turned round, so that later stamps stand before earlier ones.
local function turned(stamp)
  return string.format('%08x-%04x-%04x-%04x-%06x%06x', 0xffffffff - tonumber(stamp:sub(1, 8), 16),
    0xffff - tonumber(stamp:sub(10, 13), 16), 0xffff - tonumber(stamp:sub(15, 18), 16),
    0xffff - tonumber(stamp:sub(20, 23), 16), 0xffffff - tonumber(stamp:sub(25, 30), 16),
    0xffffff - tonumber(stamp:sub(31, 36), 16))
end

-- What the groups of a script change in the lists over all keys, which are written once, at its end.
-- What has left the time line never returns to it: its members are parts of a state, which only grows.
local timeAdded, timeRemoved, relisted = {}, {}, {}

-- Lists a key anew at the end: so many members of its set and fields of its hash came or went. With
-- 'z' its latest item is looked for; with 'added' an item came at this position.
local function relist(name, members, fields, hadRegister, hasRegister, z, added)
  local entry = relisted[name]
  if entry == nil then
    entry = { hadRegister = hadRegister, members = 0, fields = 0 }
    relisted[name] = entry
  end
  entry.hasRegister = hasRegister
  entry.members, entry.fields = entry.members + members, entry.fields + fields
  if added then entry.added = later(entry.added, added) end
  if z then entry.z = z end
end

-- The position of the latest item that a reader sees.
local function latestOf(entry, before)
  if entry.z == nil then return later(before, entry.added) end
  local last = redis.call('ZREVRANGEBYLEX', entry.z, '(p', '[o', 'LIMIT', 0, 1)[1]
  return last and last:sub(2, 37)
end

-- The records of all keys of the script as they stood at its start.
local records = nil
local function loadRecords()
  if records then return end
  local names = {}
  for i = FIRST_KEY, #KEYS, 2 do names[#names + 1] = KEYS[i]:sub(PREFIX_LENGTH + 1) end
  records = {}
  for first = 1, #names, CHUNK do
    local last = math.min(first + CHUNK - 1, #names)
    for i, record in ipairs(redis.call('HMGET', HEADS, unpack(names, first, last))) do
      records[names[first + i - 1]] = record
    end
  end
end

-- The name of what has lost something, of what judging goes by; the set may be left out.
local headsWhole = nil
local function lostBefore(name, h, z)
  loadRecords()
  if headsWhole == nil then headsWhole = isWhole('heads', HEADS) end
  if not headsWhole then return HEADS end
  local _, members, fields = sizesOf(records[name])
  local entry = relisted[name] or { members = 0, fields = 0 }
  if redis.call('HLEN', h) ~= fields + entry.fields then return h end
  if z and redis.call('ZCARD', z) ~= members + entry.members then return z end
  return nil
end

local function recordText(latest, members, fields)
  if not latest and members == 0 and fields == 0 then return nil end
  return string.format('%s %d %d', latest or MIN, members, fields)
end

local function relistAll()
  local names = {}
  for name in pairs(relisted) do names[#names + 1] = name end
  loadRecords()
  local set, gone, added, removed, listed, unlisted = {}, {}, {}, {}, {}, {}
  for _, name in ipairs(names) do
    local entry, stood = relisted[name], records[name] or nil
    local before, members, fields = sizesOf(stood)
    local now = latestOf(entry, before)
    if now ~= before then
      if before then removed[#removed + 1] = turned(before) .. name end
      if now then added[#added + 1], added[#added + 2] = 0, turned(now) .. name end
    end
    local record = recordText(now, members + entry.members, fields + entry.fields)
    if record and record ~= stood then
      set[#set + 1], set[#set + 2] = name, record
    elseif stood and not record then
      gone[#gone + 1] = name
    end
    local wasListed, isListed = before or entry.hadRegister, now or entry.hasRegister
    if isListed and not wasListed then listed[#listed + 1], listed[#listed + 2] = 0, name end
    if wasListed and not isListed then unlisted[#unlisted + 1] = name end
  end
  local latest, heads = chunked('ZADD', LATEST, added), chunked('HSET', HEADS, set)
  local all = chunked('ZADD', LISTED, listed)
  count('latest', latest - chunked('ZREM', LATEST, removed))
  count('heads', heads - chunked('HDEL', HEADS, gone))
  count('listed', all - chunked('ZREM', LISTED, unlisted))
end

-- Ends the writing of a script.
local function writeLists()
  local moments = chunked('ZADD', TIME, timeAdded)
  count('time', moments - chunked('ZREM', TIME, timeRemoved))
  relistAll()
  timeAdded, timeRemoved, relisted, records = {}, {}, {}, nil
end

-- Writes what a group has made of a key; 'writeLists' must follow. Nothing in here can fail for what
-- the data is.
local function write(k)
  local hset, hdel, zadd, zrem, tadd, trem = {}, {}, {}, {}, timeAdded, timeRemoved
  for id, item in pairs(k.items) do
    local stood = k.stood[id]
    if item ~= stood then
      local oldOwn, oldTime = membersOf(k.name, id, stood)
      local own, time = membersOf(k.name, id, item)
      without(own, oldOwn, zadd, true)
      without(oldOwn, own, zrem, false)
      without(time, oldTime, tadd, true)
      without(oldTime, time, trem, false)
      if item then
        hset[#hset + 1] = '.' .. id
        hset[#hset + 1] = encode(item)
      else
        hdel[#hdel + 1] = '.' .. id
      end
    end
  end
  if k.d ~= k.oldD then
    hset[#hset + 1], hset[#hset + 2], hset[#hset + 3], hset[#hset + 4] = 'd', k.d, 'dd', k.dd
    if k.oldD then trem[#trem + 1] = k.oldD .. k.oldDd .. 'd' .. k.name .. '\\0' end
    tadd[#tadd + 1], tadd[#tadd + 2] = 0, k.d .. k.dd .. 'd' .. k.name .. '\\0'
  end
  if k.s ~= k.oldS then
    if k.oldS then trem[#trem + 1] = k.oldS .. k.oldSd .. 's' .. k.name .. '\\0' end
    if k.s then
      for _, part in ipairs({ 's', k.s, 'sd', k.sd, 'v', k.v }) do hset[#hset + 1] = part end
      tadd[#tadd + 1], tadd[#tadd + 2] = 0, k.s .. k.sd .. 's' .. k.name .. '\\0'
    else
      for _, field in ipairs({ 's', 'sd', 'v' }) do hdel[#hdel + 1] = field end
    end
  end
  -- What needs memory goes first: the server refuses a script that has written nothing yet.
  local fields, members = chunked('HSET', k.h, hset), chunked('ZADD', k.z, zadd)
  fields, members = fields - chunked('HDEL', k.h, hdel), members - chunked('ZREM', k.z, zrem)
  local z = (#zadd > 0 or #zrem > 0) and k.z or nil
  relist(k.name, members, fields, k.oldS ~= nil, k.s ~= nil, z)
end
`
