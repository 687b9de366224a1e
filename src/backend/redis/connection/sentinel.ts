import type { Env } from '../../../core/env.ts'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { withDeadline } from '../../../core/time.ts'
import { openNodeClient } from './node-client.ts'
import type { RedisAddress, ResolvedRedisConnection } from './options.ts'
import type { RawConnection } from './raw-connection.ts'

/**
 * Where the master is, asked of one Sentinel after another. Whether the server that they name is the
 * master still is for whoever connects to it to check: they may be late.
 */
export async function askSentinels(
  env: Env,
  connection: ResolvedRedisConnection,
): Promise<RedisAddress> {
  const { name } = connection.sentinel!
  const failures: unknown[] = []
  for (const node of connection.nodes) {
    try {
      return await ask(env, node, connection)
    } catch (error) {
      failures.push(error)
    }
  }
  const text = failures.map(messageOf).join('; ')
  throw new StorageError('UNAVAILABLE', `no Sentinel names a master ${name}: ${text}`, {
    cause: failures[0],
  })
}

async function ask(
  env: Env,
  node: RedisAddress,
  connection: ResolvedRedisConnection,
): Promise<RedisAddress> {
  const { name, username, password } = connection.sentinel!
  // One of them may hang: the others must get their turn.
  const limitMs = Math.ceil(connection.connectTimeoutMs / 3)
  const options = { ...connection, username, password, db: 0, connectTimeoutMs: limitMs }
  let raw: RawConnection | undefined
  try {
    raw = await openNodeClient(env, node, options, () => {})
    const asked = raw.send(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name])
    const reply = await withDeadline(env, limitMs, 'a Sentinel', asked, { effect: 'none' })
    if (!Array.isArray(reply)) throw new StorageError('UNAVAILABLE', `it knows no master ${name}`)
    return { host: String(reply[0]), port: Number(reply[1]) }
  } finally {
    raw?.destroy()
  }
}
