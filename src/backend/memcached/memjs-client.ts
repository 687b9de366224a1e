import { exportsOf, installedDriver } from '../import-driver.ts'
import type { ResolvedMemcachedOptions } from './options.ts'

/** The client of `memjs`, as far as it is used. It has no types of its own. */
export interface MemjsClient {
  get(key: string): Promise<{ readonly value: Buffer | null }>
  set(key: string, value: string, options: { readonly expires: number }): Promise<boolean>
  delete(key: string): Promise<boolean>
  close(): void
}

interface MemjsPackage {
  readonly Client: { create(servers: string, options: object): MemjsClient }
}

/** Opens a client; it connects with the first call. */
export async function openMemjs(options: ResolvedMemcachedOptions): Promise<MemjsClient> {
  const { servers, username, password, timeoutMs } = options
  const { Client } = await loadMemjs()
  return Client.create(servers.join(','), {
    timeout: timeoutMs / 1_000,
    conntimeout: timeoutMs / 1_000,
    // One attempt: the library reports a fault, and would hide it with more of them.
    retries: 0,
    failover: false,
    // It writes to the console otherwise.
    logger: { log: () => {} },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  })
}

async function loadMemjs(): Promise<MemjsPackage> {
  try {
    return exportsOf<MemjsPackage>(await import('memjs'))
  } catch (error) {
    return installedDriver<MemjsPackage>('Memcached', 'memjs', error)
  }
}
