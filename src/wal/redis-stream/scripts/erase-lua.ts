/**
 * Operations of entries, from a number on. Arguments: base, first number, how many. Returns where to
 * go on (or empty), then number and operations of each.
 */
export const SCAN_LUA: string = `
local found = call('XRANGE', S, idOf(ARGV[2]), '+', 'COUNT', ARGV[3])
local reply = { '' }
for _, item in ipairs(found) do
  local n = numberOf(item[1])
  local entry = entryOf(n)
  reply[#reply + 1] = n
  reply[#reply + 1] = entry.o
end
if #found == tonumber(ARGV[3]) then reply[1] = unpad(numberOf(found[#found][1]) + 1) end
return reply
`

/**
 * Writes the stream anew without the payloads that are to go. Deleting an entry only marks it: its
 * bytes stay in the node of the stream that it shares with others, and in every dump of it. Entries
 * keep their numbers, their consumers and how long they have been left alone; those that no place
 * lacks are left out.
 *
 * Arguments: base, identity, then number and new operations of each entry that changes. Returns
 * \`lost\` when the partition is another one, else \`ok\` and how many entries are left.
 */
export const ERASE_LUA: string = `
if call('HGET', META, 'identity') ~= ARGV[2] or not isWhole() then return { 'lost' } end
local changes = {}
for i = 3, #ARGV, 2 do changes[ARGV[i]] = ARGV[i + 1] end
local T = S .. ':new'
call('DEL', T)
for place in string.gmatch('pb', '.') do call('XGROUP', 'CREATE', T, place, 0, 'MKSTREAM') end
local left, from = 0, '-'
while true do
  local found = call('XRANGE', S, from, '+', 'COUNT', 500)
  for _, item in ipairs(found) do
    local n = numberOf(item[1])
    if isPending('p', n) or isPending('b', n) then
      local fields = item[2]
      for i = 1, #fields, 2 do
        if fields[i] == 'o' and changes[n] then fields[i + 1] = changes[n] end
      end
      call('XADD', T, item[1], unpack(fields))
      for place in string.gmatch('pb', '.') do
        local held = call('XPENDING', S, place, item[1], item[1], 1)[1]
        if held then
          call('XCLAIM', T, place, held[2], 0, item[1], 'IDLE', held[3], 'FORCE', 'JUSTID', 'LASTID', item[1])
        end
      end
      left = left + 1
    end
  end
  if #found < 500 then break end
  from = '(' .. found[#found][1]
end
call('RENAME', T, S)
call('HSET', META, 'kept', left)
return { 'ok', left }
`
