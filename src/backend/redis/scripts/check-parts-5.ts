import { defineScript, type RedisScript } from './script.ts'

/** Keys: meta, then listed, latest, heads and time. Argument: identity. Returns those that lack something. */
export const CHECK_PARTS: RedisScript = defineScript(
  'check-parts-5',
  `
local lost = {}
for i, part in ipairs({ 'listed', 'latest', 'heads', 'time' }) do
  if not isWhole(part, KEYS[i + 1]) then lost[#lost + 1] = KEYS[i + 1] end
end
return lost
`,
)
