import { tmpdir } from 'node:os'
import { describe } from 'vitest'
import { freePort } from './free-port.ts'
import { isAvailable, ServerProcess, type TestServer } from './server-process.ts'

const HINT = 'Memcached is not installed: apt-get install -y memcached'

/** Two starts may pick the same free port. */
const START_TRIES_MAX = 3

/** A Memcached server of this test's own. What it held is gone after `kill` or `restart`. */
export interface MemcachedServer extends TestServer {
  readonly url: string
}

const hasMemcached: boolean = isAvailable('memcached', HINT)

/** `describe` for tests on Memcached: they are skipped aloud, or fail, where it is not installed. */
export const describeMemcached: typeof describe.skip = hasMemcached ? describe : describe.skip

/** Starts a private server. */
export async function startMemcached(): Promise<MemcachedServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const server = serverOn(port)
    try {
      await server.process.start()
      return server
    } catch (error) {
      await server.process.kill()
      if (attempt === START_TRIES_MAX) throw error
    }
  }
}

function serverOn(port: number): MemcachedServer & { readonly process: ServerProcess } {
  const process = new ServerProcess({
    program: 'memcached',
    // It refuses to run as root without a user to become.
    args: () => ['-p', String(port), '-l', '127.0.0.1', '-U', '0', '-t', '1', '-u', 'nobody'],
    dir: tmpdir(),
    port,
  })
  return {
    process,
    port,
    url: `memcached://127.0.0.1:${port}`,
    kill: async () => await process.kill(),
    pause: () => process.pause(),
    resume: () => process.resume(),
    restart: async () => {
      await process.end()
      await process.start()
    },
    stop: async () => await process.kill(),
  }
}
