import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import { askFirst } from './ask-first.ts'
import type { RedisAddress, ResolvedRedisConnection } from './options.ts'

/**
 * Where the master is, asked of one Sentinel after another. Whether the server that they name is the
 * master still is for whoever connects to it to check: they may be late.
 */
export async function askSentinels(
  env: Env,
  connection: ResolvedRedisConnection,
): Promise<RedisAddress> {
  const { name, username, password } = connection.sentinel!
  return await askFirst(env, {
    addresses: connection.nodes,
    options: { ...connection, username, password, db: 0 },
    command: ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name],
    read: (reply) => {
      if (Array.isArray(reply)) return { host: String(reply[0]), port: Number(reply[1]) }
      throw new StorageError('UNAVAILABLE', `it knows no master ${name}`)
    },
    failure: `no Sentinel names a master ${name}`,
  })
}
