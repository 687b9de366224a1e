/*
 * Judging the conditions of a group, as `core/conditions.ts` has them, in Lua. A condition is three texts: KIND KEY,
 * the stamp or position that must stand, empty for none, and the id of an item. Its kind is `v` for the value of the
 * key, `i` for an item, `l` for the latest item. After `judge-lua.ts`.
 */
export const CONDITIONS_LUA = `
local CONDITION_FIELDS = 3

local function conditionKeyOf(at) return tonumber(ARGV[at]:sub(2)) end

-- What stands where the condition looks; empty for nothing.
local function standsFor(at)
  local kind, k = ARGV[at]:sub(1, 1), openKey(conditionKeyOf(at))
  if kind == 'v' then return k.s or '' end
  if kind == 'l' then
    local last = redis.call('ZREVRANGEBYLEX', k.z, '(p', '[o', 'LIMIT', 0, 1)[1]
    return last and last:sub(2, 37) or ''
  end
  local item = load(k, ARGV[at + 2])
  if not item or item.ro then return '' end
  return itemStamp(item)
end

local function isThere(op)
  local k = openKey(op.key)
  if op.kind == 's' then return k.s == op.stamp end
  if op.kind == 'd' then return k.d == op.stamp end
  if op.kind == 'r' then return false end
  local item = load(k, op.id)
  if not item then return false end
  if op.kind == 'a' then return item.a == op.position end
  return item.e == op.stamp and item.eo == op.position
end

-- True when one of these operations stands as it is: then the group was applied here before.
local function isGroupThere(first, size)
  for i = 1, size do
    if isThere(readOp(first + (i - 1) * OP_FIELDS)) then return true end
  end
  return false
end

-- The first condition that does not hold, from 0, and what stands; nil when all hold.
local function failedOf(first, count)
  for i = 0, count - 1 do
    local at = first + i * CONDITION_FIELDS
    local stands = standsFor(at)
    if stands ~= ARGV[at + 1] then return i .. ' ' .. stands end
  end
  return nil
end

local function lostOfConditions(first, count)
  for i = 0, count - 1 do
    local number = conditionKeyOf(first + i * CONDITION_FIELDS)
    local h, z = KEYS[FIRST_KEY + 2 * number], KEYS[FIRST_KEY + 2 * number + 1]
    local lost = lostBefore(h:sub(PREFIX_LENGTH + 1), h, z)
    if lost then return lost end
  end
  return nil
end

-- The answers to a group of which a condition has failed.
local function withheldAll(first, size)
  local answers = {}
  for i = 1, size do
    answers[i] = answer('w', openKey(keyOf(first + (i - 1) * OP_FIELDS)).d)
  end
  return answers
end
`
