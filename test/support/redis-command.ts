import { createClient } from 'redis'

/** Runs one command on a server of its own connection, as an administrator would. */
export async function redisCommand(url: string, ...args: readonly string[]): Promise<unknown> {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  await client.connect()
  try {
    return await client.sendCommand(args)
  } finally {
    client.destroy()
  }
}
