import { LEASE_MS_MAX, LEASE_UNUSED_MS, LEASES_SWEPT, USER_LEASE } from '../../lease.ts'
import { defineScript, type RedisScript } from './script.ts'

/**
 * Takes, prolongs or gives back a lease, as `grantLease` decides. Keys: meta, leases. Arguments:
 * identity, name, holder, milliseconds, token (empty: take), note (empty: leave). Returns token and
 * note, or nothing when somebody else holds it. With one of applications some that nobody uses are removed.
 */
export const LEASE: RedisScript = defineScript(
  'lease-2',
  `
local NAME = ARGV[2]
local f = redis.call('HMGET', KEYS[2], 'token:' .. NAME, 'holder:' .. NAME, 'expires:' .. NAME, 'note:' .. NAME)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local token, expires = tonumber(f[1] or '0'), tonumber(f[3] or '0')
if ARGV[5] ~= '' then
  if token ~= tonumber(ARGV[5]) then return {} end
else
  if f[1] and f[2] ~= ARGV[3] and expires > now and expires <= now + ${LEASE_MS_MAX} then return {} end
  token = math.max(now, token + 1)
  local held = { 'token:' .. NAME, string.format('%.0f', token), 'holder:' .. NAME, ARGV[3] }
  count('leases', redis.call('HSET', KEYS[2], unpack(held)))
end
local ends = string.format('%.0f', now + tonumber(ARGV[4]))
count('leases', redis.call('HSET', KEYS[2], 'expires:' .. NAME, ends))
if ARGV[5] == '' and string.match(NAME, '^${USER_LEASE}[/#]') then
  for _, field in ipairs(redis.call('HRANDFIELD', KEYS[2], ${4 * LEASES_SWEPT})) do
    local other = string.match(field, '^expires:(${USER_LEASE}[/#].*)$')
    if other and tonumber(redis.call('HGET', KEYS[2], field)) < now - ${LEASE_UNUSED_MS} then
      local gone = redis.call('HDEL', KEYS[2], 'token:' .. other, 'holder:' .. other, field, 'note:' .. other)
      count('leases', -gone)
    end
  end
end
if ARGV[6] ~= '' then count('leases', redis.call('HSET', KEYS[2], 'note:' .. NAME, ARGV[6])) end
return { string.format('%.0f', token), ARGV[6] ~= '' and ARGV[6] or f[4] }
`,
)
