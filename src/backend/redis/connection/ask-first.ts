import type { Env } from '../../../core/env.ts'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { withDeadline } from '../../../core/time.ts'
import { openNodeClient, type NodeClientOptions } from './node-client.ts'
import type { RedisAddress } from './options.ts'
import type { RawConnection } from './raw-connection.ts'

export interface Question<T> {
  /** Asked one after another, each on a connection of its own. */
  readonly addresses: Iterable<RedisAddress>
  readonly options: NodeClientOptions
  readonly command: readonly string[]
  /** Throws when the answer is none: the next one is asked. */
  readonly read: (reply: unknown, address: RedisAddress) => T
  /** What it means that nobody answers. */
  readonly failure: string
}

/** The first answer that can be read. */
export async function askFirst<T>(
  env: Env,
  { addresses, options, command, read, failure }: Question<T>,
): Promise<T> {
  // One of them may hang: the others must get their turn.
  const connectTimeoutMs = Math.ceil(options.connectTimeoutMs / 3)
  const failures: unknown[] = []
  for (const address of addresses) {
    let raw: RawConnection | undefined
    try {
      raw = await openNodeClient(env, address, { ...options, connectTimeoutMs }, () => {})
      const context = { effect: 'none' } as const
      const asked = raw.send(command)
      return read(
        await withDeadline(env, connectTimeoutMs, command.join(' '), asked, context),
        address,
      )
    } catch (error) {
      failures.push(error)
    } finally {
      raw?.destroy()
    }
  }
  const text = failures.map(messageOf).join('; ')
  throw new StorageError('UNAVAILABLE', `${failure}: ${text}`, { cause: failures[0] })
}
