/**
 * Refuses a call whose lease has a newer token. The second key is the hash of leases; the arguments
 * after the identity are the lease's name (empty: not fenced) and the token.
 */
export const FENCE_LUA = `
if ARGV[2] ~= '' then
  local token = redis.call('HGET', KEYS[2], 'token:' .. ARGV[2])
  if token and tonumber(token) > tonumber(ARGV[3]) then return { 'FENCED' } end
end
`
