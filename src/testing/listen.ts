import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/**
 * Ports that the system gives to no outgoing connection by default (Linux: ip_local_port_range). One that it
 * does would be taken by another program while its server has let go of it.
 */
const PORTS = { from: 10_000, to: 32_000 }
const TRIES_MAX = 20

/** Listens on a free port of 127.0.0.1, and returns it. */
export async function listenSomewhere(server: Server): Promise<number> {
  for (let i = 0; i < TRIES_MAX; i++) {
    try {
      return await listenAt(server, randomInt(PORTS.from, PORTS.to))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
  return await listenAt(server, 0)
}

/** Listens on this port of 127.0.0.1, and returns it. */
export async function listenAt(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
