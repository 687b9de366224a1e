import { WHOLE_LUA } from './whole-lua.ts'

/** Fields of a meta: all of them are there from the start. */
const OWN_FIELDS = 'identity state shards head writes hintCount trusted run base'.split(' ')
const PARTS = 'listed latest heads time hints cursors locks intents groups leases'.split(' ')
/** All fields of a meta are there from the start: one for each part counts its members. */
const META_FIELDS = OWN_FIELDS.length + PARTS.length

/**
 * What a shard notes besides messages. Nobody can bring it back when it is lost: the database gets a new
 * identity instead, which makes everybody send again what is owed and compare everything. Keys: meta,
 * hints, cursors, locks, intents, groups, leases.
 */
export const NOTES_LUA: string = `
local NOTES = { 'hints', 'cursors', 'locks', 'intents', 'groups', 'leases' }

-- The name of what is missing, or nil.
local function lostNote()
  if redis.call('HLEN', KEYS[1]) ~= ${META_FIELDS} then return KEYS[1] end
  for i, part in ipairs(NOTES) do
    if not isWhole(part, KEYS[i + 1]) then return KEYS[i + 1] end
  end
  return nil
end
`

/** The same for a script without the checks of `defineScript`. */
export const RAW_NOTES_LUA: string = WHOLE_LUA + NOTES_LUA
