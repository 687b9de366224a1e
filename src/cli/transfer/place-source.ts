import { access } from 'node:fs/promises'
import { createDatabase, type DatabaseSource } from '../../backend/registry.ts'
import { parseDatabaseString } from '../../backend/connection-string.ts'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import { decodeMessage } from '../../chat/codec.ts'
import { conversationKey, parseConversationKey, tenantPrefix } from '../../chat/keys.ts'
import { StorageConnectionError } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { DatabasePlace } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ConversationSource, MessageBatch } from './conversation-source.ts'

export interface PlaceSourceOptions {
  readonly place: DatabasePlace
  readonly database: DatabaseSource
  readonly tenant: string
}

/**
 * Opens one database alone and hands it to the action: neither the other database nor the log is
 * touched. What is still pending in a log is therefore not in it; that is what this is for.
 */
export async function withPlaceSource<T>(
  { place, database, tenant }: PlaceSourceOptions,
  action: (source: ConversationSource) => Promise<T>,
): Promise<T> {
  await checkThere(place, database)
  const backend = await createDatabase(database, nodeEnv(), place)
  await backend.connect()
  try {
    return await action(new PlaceSource(backend, tenant))
  } finally {
    await backend.disconnect()
  }
}

/** An engine makes a file that is missing; an export of nothing must not look like one of it. */
async function checkThere(place: DatabasePlace, database: DatabaseSource): Promise<void> {
  const config = typeof database === 'string' ? parseDatabaseString(database, place) : database
  if (!('type' in config) || config.type !== 'sqlite' || config.path === ':memory:') return
  try {
    await access(config.path)
  } catch (error) {
    throw new StorageConnectionError('sqlite', `${place}: there is no database ${config.path}`, {
      place,
      cause: error,
    })
  }
}

class PlaceSource implements ConversationSource {
  readonly #backend: ReplicaBackend
  readonly #tenant: string

  constructor(backend: ReplicaBackend, tenant: string) {
    this.#backend = backend
    this.#tenant = tenant
  }

  async conversationIds(): Promise<readonly string[]> {
    const keys = await this.#backend.list(tenantPrefix(this.#tenant))
    return keys
      .map((key) => parseConversationKey(key))
      .filter((parsed) => parsed !== undefined)
      .map(({ conversationId }) => conversationId)
  }

  async *batches(conversationId: string): AsyncIterable<MessageBatch> {
    const key = conversationKey(this.#tenant, conversationId)
    let after: Stamp | undefined
    for (;;) {
      const { items, done } = await this.#backend.readItems({
        key,
        order: 'oldest',
        limit: PAGE_ITEMS_MAX,
        ...(after !== undefined && { after }),
      })
      // What one database holds is all that was asked for.
      const messages = items.map((item) => decodeMessage(item)).filter((m) => m !== undefined)
      yield { messages, complete: true }
      after = items.at(-1)?.position
      if (done || after === undefined) return
    }
  }
}
