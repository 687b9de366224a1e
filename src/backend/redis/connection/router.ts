import type { RedisServerInfo } from './server-info.ts'

/** Brings commands to the server that has their keys. */
export interface RedisRouter {
  /** True when the keys of different slots may be on different servers. */
  readonly isCluster: boolean
  /** True when a replica may take the place of a server by itself. */
  readonly hasFailover: boolean
  /** True while every server has a connection. */
  readonly ready: boolean
  /** Grows with each new connection: what was known of the servers' data must be checked again. */
  readonly epoch: number
  /** What is known of the servers, as it was last read. */
  readonly servers: readonly RedisServerInfo[]
  /** Why there is no connection; absent while there is one, and where that is not told. */
  readonly lastError?: string | undefined
  connect(): Promise<void>
  /** Sends a command once. An error of the server rejects with a message that begins with its code. */
  send(key: string, args: readonly string[]): Promise<unknown>
  /** The run id of the server that has this key. */
  runIdOf(key: string): string
  /** Told of an error that says that the server of this key is not the right one any more. */
  misled(key: string, error: unknown): void
  /** Reads the settings of all servers again. */
  refresh(): Promise<void>
  /** Ends what was opened here; a client of the application's own is left open. */
  close(): void
}
