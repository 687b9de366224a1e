/** A record as an item, or nil where it has been damaged so much that it cannot be read. After the merge. */
export const READABLE_LUA = `
local function isPlace(text)
  return #text == 36 and text:find('^[%x%-]+$') ~= nil
end

local function readable(raw)
  local ok, item = pcall(decode, raw)
  if not ok or not isPlace(item.p) then return nil end
  for _, place in ipairs({ item.a or item.p, item.eo or item.p, item.e or item.p, item.ro or item.p }) do
    if not isPlace(place) then return nil end
  end
  return item
end
`
