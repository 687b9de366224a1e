/*
 * What every script of a partition begins with. Without arguments a script only becomes known to the
 * server.
 *
 *   meta     identity, partitions, run, n (last entry), head (greatest stamp), bytes (pending),
 *            kept (entries in the stream: fewer are there when somebody else has removed some), floor (no stamp at or below it is fresh), writers (how many ever)
 *   s        the stream; entry N has the id N-0 and the fields o (operations), k (its keys of this
 *            partition), g (group), b (bytes). Groups `p` and `b`: primary and backup
 *   i:P:KEY  entries with the key that place P lacks; all scores 0, so ordered by their 16 digits
 *   k:P      keys that have such entries, or marks
 *   d:P r:P  entries that P refuses for good, and why
 *   m:KEY    marks: PARTITION/GROUP of entries elsewhere that have an operation on this key
 *   x        groups with marks elsewhere, and their entries
 *   l:KEY    the last stamp; expires
 *   g:GROUP  its entry; expires
 *   w        writers, by when they came (partition 0), and `a` when each was last alive, 0: it ended
 *
 * All names of a partition share its hash tag, so the scripts put them together themselves.
 */
export const COMMON_LUA: string = `
if #ARGV == 0 then return 0 end
local B = ARGV[1]
local META, S = B .. 'meta', B .. 's'
local call = redis.call
local function pad(n) return string.format('%016.0f', tonumber(n)) end
local function unpad(text) return string.format('%.0f', tonumber(text)) end
local function idOf(n) return n .. '-0' end
local function numberOf(id) return string.match(id, '^(%d+)') end
local function isPending(place, n)
  return #call('XPENDING', S, place, idOf(n), idOf(n), 1) > 0
    or call('ZSCORE', B .. 'd:' .. place, pad(n)) ~= false
end
local function isWhole()
  return call('EXISTS', S) == 1 and call('XLEN', S) == tonumber(call('HGET', META, 'kept') or '-1')
end
local function writerOf(consumer) return string.match(consumer, '^[^/]*') end
local function entryOf(n)
  local found = call('XRANGE', S, idOf(n), idOf(n))[1]
  if not found then return nil end
  local fields = found[2]
  local entry = {}
  for i = 1, #fields, 2 do entry[fields[i]] = fields[i + 1] end
  return entry
end
-- An entry for whoever brings it: number, operations, group (or empty), bytes.
local function give(reply, n, entry)
  local at = #reply
  reply[at + 1] = n
  reply[at + 2] = entry.o
  reply[at + 3] = call('HEXISTS', B .. 'x', entry.g) == 1 and entry.g or ''
  reply[at + 4] = entry.b
end
local function index(place, n, key)
  call('ZADD', B .. 'i:' .. place .. ':' .. key, 0, pad(n))
  call('SADD', B .. 'k:' .. place, key)
end
local function unindex(place, n, key)
  local name = B .. 'i:' .. place .. ':' .. key
  call('ZREM', name, pad(n))
  if call('EXISTS', name, B .. 'm:' .. key) == 0 then call('SREM', B .. 'k:' .. place, key) end
end
`
