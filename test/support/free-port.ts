import { once } from 'node:events'
import { createServer } from 'node:net'
import { listenSomewhere } from '../../src/testing/listen.ts'

/** A TCP port of 127.0.0.1 that nothing listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listenSomewhere(server)
  server.close()
  await once(server, 'close')
  return port
}
