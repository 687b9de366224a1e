/*
 * Judges operations as `core/decide.ts` does. An answer is one letter, then the key's
 * deletedThrough or `-`, then what the letter asks for: `a`pplied, `s`tands (item), `c`onflict
 * (item), `b`ehind (stamp, and the position where the item stands, if that matters), `g`one,
 * `w`ithheld.
 */
export const JUDGE_LUA = `
local function answer(letter, d, rest) return letter .. (d or '-') .. (rest or '') end

local function isRepeat(item, op)
  if item.ro then return item.ro == op.position end
  return item.e ~= nil or item.av == op.value
end

local function judgePut(k, op, unique)
  local existing = load(k, op.id)
  if op.kind == 'a' then
    if unique and existing then
      return answer(isRepeat(existing, op) and 's' or 'c', k.d, encode(existing))
    end
    return isGone(op.position, k.d) and answer('b', k.d, k.d) or answer('a', k.d)
  end
  if op.position <= (k.d or MIN) then return answer('g', k.d) end
  if not existing then return answer('a', k.d) end
  if existing.ro then return answer(op.kind == 'e' and 'g' or 'a', k.d) end
  if existing.p > op.position then
    return answer('b', k.d, itemStamp(existing) .. existing.p)
  end
  if op.kind == 'e' and itemStamp(existing) > op.stamp then
    return answer('b', k.d, itemStamp(existing))
  end
  return answer('a', k.d)
end

local function judge(k, op, unique)
  if op.kind == 's' then
    if isGone(op.stamp, k.d) then return answer('b', k.d, k.d) end
    if k.s and op.stamp < k.s then return answer('b', k.d, k.s) end
    return answer('a', k.d)
  end
  if op.kind == 'd' then
    local head = headOf(k)
    if head and head > op.stamp then return answer('b', k.d, head) end
    return answer('a', k.d)
  end
  return judgePut(k, op, unique)
end

local OP_FIELDS = 3

local function keyOf(at) return tonumber(ARGV[at]:sub(86)) end

-- The operation at this place of the arguments: KIND DIGEST STAMP POSITION KEY, then the id, empty
-- where it is the position, then the value.
local function readOp(at)
  local head, id = ARGV[at], ARGV[at + 1]
  local position = head:sub(50, 85)
  return {
    kind = head:sub(1, 1), digest = head:sub(2, 13), stamp = head:sub(14, 49), position = position,
    key = keyOf(at), id = id == '' and position or id, value = ARGV[at + 2],
  }
end

-- The name of what has lost something, of what the keys of a group are judged by.
local function lostOfGroup(first, size)
  for i = 1, size do
    local number = keyOf(first + (i - 1) * OP_FIELDS)
    local h, z = KEYS[FIRST_KEY + 2 * number], KEYS[FIRST_KEY + 2 * number + 1]
    local lost = lostBefore(h:sub(PREFIX_LENGTH + 1), h, z)
    if lost then return lost end
  end
  return nil
end

-- Judges a group and merges it into copies of its keys. Returns the answers, the copies, the
-- operations that have an effect, and whether the group is refused.
local function runGroup(first, count, judged, unique)
  local keys, answers, effective, refused = {}, {}, {}, false
  for i = 1, count do
    local op = readOp(first + (i - 1) * OP_FIELDS)
    local k = keys[op.key]
    if k == nil then
      k = openKey(op.key, op.kind ~= 's' and op.kind ~= 'd' and op.id or nil)
      keys[op.key] = k
    end
    local text = judged and judge(k, op, unique) or answer('a', k.d)
    local letter = text:sub(1, 1)
    answers[i] = text
    if letter == 'a' then
      merge(k, op)
      effective[#effective + 1] = op
    elseif letter ~= 's' then
      refused = true
    end
  end
  if refused then
    for i, text in ipairs(answers) do
      if text:sub(1, 1) == 'a' then answers[i] = 'w' .. text:sub(2) end
    end
  end
  return answers, keys, effective, refused
end

local function headOfOps(ops, head)
  for _, op in ipairs(ops) do
    head = later(head, op.stamp)
    if op.position ~= '' then head = later(head, op.position) end
  end
  return head
end

-- Notes the greatest stamp and that the shard has changed; returns the number of its changes.
local function noteChange(head)
  if head then
    local stored = redis.call('HGET', META, 'head')
    if not stored or stored < head then redis.call('HSET', META, 'head', head) end
  end
  return redis.call('HINCRBY', META, 'writes', 1)
end
`
