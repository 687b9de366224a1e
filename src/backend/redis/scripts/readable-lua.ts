/** A record as an item, or nil where it has been damaged so much that it cannot be read. After the merge. */
export const READABLE_LUA = `
local function isPlace(text)
  return #text == 36 and text:find('^[%x%-]+$') ~= nil
end

local function readable(raw)
  local ok, item = pcall(decode, raw)
  if not ok or not isPlace(item.p) then return nil end
  if (item.a and not isPlace(item.a)) or (item.e and not isPlace(item.e)) then return nil end
  return item
end
`
