import type { StorageResourceType } from '@mastra/core/storage'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { isStorageError } from '../../core/errors.ts'
import { NameLock } from '../../core/name-lock.ts'
import { resourceKey } from './message-index.ts'
import { plain } from './threads.ts'

/** How often a change of a resource is tried that another process changes as well. */
const TRIES_MAX = 20

/** Changes of one resource in this process wait for each other. */
const CHANGES = new NameLock()

/** A resource as it is stored: its times are texts. */
type Stored = Omit<StorageResourceType, 'createdAt' | 'updatedAt'> &
  Record<'createdAt' | 'updatedAt', string>

/** What Mastra keeps of a resource: its working memory and metadata. */
export class ResourceStore {
  readonly #history: ChatHistory

  constructor(history: ChatHistory) {
    this.#history = history
  }

  async get(id: string): Promise<StorageResourceType | null> {
    const { store, tenant } = this.#history
    const found = await store.get<Stored>(resourceKey(tenant, id))
    return found === undefined || found === null ? null : shown(found)
  }

  async save(resource: StorageResourceType): Promise<void> {
    const { store, tenant } = this.#history
    await store.set(resourceKey(tenant, resource.id), plain(resource))
  }

  /** Merges into what stands, of whichever process. */
  async update(
    id: string,
    change: { workingMemory?: string; metadata?: Record<string, unknown> },
  ): Promise<StorageResourceType> {
    const { store, tenant } = this.#history
    const key = resourceKey(tenant, id)
    return await CHANGES.run([`${store.writer} ${key}`], async () => {
      for (let tries = 1; ; tries++) {
        const entry = await store.getEntry<Stored>(key)
        const now = new Date(store.now()).toISOString()
        const { workingMemory = entry?.value.workingMemory } = change
        const value: Stored = {
          id,
          ...(workingMemory !== undefined && { workingMemory }),
          metadata: plain({ ...entry?.value.metadata, ...change.metadata }),
          createdAt: entry?.value.createdAt ?? now,
          updatedAt: now,
        }
        const condition = entry ? { key, stamp: entry.stamp } : { key, absent: true as const }
        try {
          await store.write([{ kind: 'set', key, value }], { if: [condition] })
          return shown(value)
        } catch (error) {
          const mayRepeat = isStorageError(error, 'CONFLICT') && error.effect === 'none'
          if (!mayRepeat || tries === TRIES_MAX) throw error
        }
      }
    })
  }
}

function shown({ createdAt, updatedAt, ...rest }: Stored): StorageResourceType {
  return { ...rest, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) }
}
