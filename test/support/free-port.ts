import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** The system gives none of these to an outgoing connection (Linux: ip_local_port_range). */
const PORTS = { from: 10_000, to: 32_000 }
const TRIES_MAX = 50

/** A TCP port of 127.0.0.1 that nothing listens on right now. */
export async function freePort(): Promise<number> {
  for (let i = 0; ; i++) {
    const port = randomInt(PORTS.from, PORTS.to)
    try {
      const server = createServer().listen(port, '127.0.0.1')
      await once(server, 'listening')
      server.close()
      await once(server, 'close')
      return port
    } catch (error) {
      if (i === TRIES_MAX) throw error
    }
  }
}
