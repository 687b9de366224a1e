import { StorageError } from '../../core/errors.ts'
import type { EraseReceipt, ErasedPlace, EraseStage } from '../../store/erase/erase-receipt.ts'
import { ERASE_STAGES } from '../../store/erase/erase-receipt.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { sideKey, SIDE_SPACES } from '../keys.ts'
import type { ErasedForks } from './branch-options.ts'
import { FORK_DEPTH_MAX } from './conversation-view.ts'
import { FIRST_STAMP } from './fork-marker.ts'
import type { Forks } from './forks.ts'

/** Most conversations that one erase takes with their forks. */
const ERASED_FORKS_MAX = 1_000

/** What an erase works with. */
export interface EraseParts {
  readonly store: StrategicStorageManager
  readonly tenant: string
  readonly forks: Forks
  /** Erases one conversation, with these lists beside it. */
  readonly erase: (conversationId: string, beside: readonly string[]) => Promise<EraseReceipt>
}

/**
 * Erases a conversation with the lists beside it. A fork has, or shares, its messages: unless the caller says
 * what is to become of those, it is refused.
 *
 * @throws StorageError `CONFLICT` that names the forks.
 */
export async function eraseConversation(
  parts: EraseParts,
  conversationId: string,
  forks: ErasedForks,
): Promise<EraseReceipt> {
  const ids = [conversationId]
  if (forks === 'keep') {
    await parts.forks.release(conversationId, true)
  } else {
    const found = await allForks(parts.forks, conversationId)
    if (forks === 'refuse' && found.length > 0) {
      const named = found.slice(0, 10).map((id) => JSON.stringify(id))
      const more = found.length > 10 ? ` and ${found.length - 10} more` : ''
      throw new StorageError(
        'CONFLICT',
        `forks have messages of the conversation: ${named.join(', ')}${more}; say whether to erase or to keep them`,
      )
    }
    ids.push(...found)
  }
  // The conversation itself last: a call that is cut off can be repeated.
  const receipts: EraseReceipt[] = []
  for (const id of ids.reverse()) receipts.push(await eraseOne(parts, id))
  return merged(receipts)
}

async function eraseOne(
  { store, tenant, erase }: EraseParts,
  conversationId: string,
): Promise<EraseReceipt> {
  const keys = SIDE_SPACES.map((space) => sideKey(space, tenant, conversationId))
  const isUsed = await Promise.all(keys.map((key) => hasTrace(store, key)))
  return await erase(
    conversationId,
    keys.filter((_, i) => isUsed[i]),
  )
}

/** False for a key that has nothing and never had. */
async function hasTrace(store: StrategicStorageManager, key: string): Promise<boolean> {
  if (await store.exists(key)) return true
  const { complete } = await store.readItems({ key, limit: 1, order: 'newest' })
  return !complete || (await store.isClearedThrough(key, FIRST_STAMP))
}

/** Its forks, and theirs. */
async function allForks(forks: Forks, conversationId: string): Promise<string[]> {
  const found = new Set<string>()
  let level = [conversationId]
  for (let depth = 0; depth <= FORK_DEPTH_MAX && level.length > 0; depth++) {
    const next: string[] = []
    for (const id of level) {
      for (const fork of (await forks.list(id)).forks) {
        if (found.has(fork.conversationId)) continue
        found.add(fork.conversationId)
        next.push(fork.conversationId)
      }
    }
    if (found.size > ERASED_FORKS_MAX) {
      const why = `has ${found.size} forks, at most ${ERASED_FORKS_MAX} are erased with it`
      throw new StorageError('CONFLICT', `conversation ${JSON.stringify(conversationId)} ${why}`)
    }
    level = next
  }
  return [...found]
}

/** The last one's receipt, with what is pending or remains of the others. */
function merged(receipts: readonly EraseReceipt[]): EraseReceipt {
  const last = receipts.at(-1)!
  if (receipts.length === 1) return last
  const place = (stage: EraseStage): ErasedPlace => {
    const places = receipts.map((receipt) => receipt.places[stage])
    const open = places.find(({ state }) => state === 'pending') ?? places.at(-1)!
    return {
      ...open,
      pending: [...new Set(places.flatMap(({ pending }) => pending))],
      remains: [...new Set(places.flatMap(({ remains }) => remains))],
    }
  }
  const complete = receipts.every((receipt) => receipt.complete)
  const { completedAt, ...rest } = last
  return {
    ...rest,
    ...(complete && completedAt !== undefined && { completedAt }),
    complete,
    places: Object.fromEntries(
      ERASE_STAGES.map((stage) => [stage, place(stage)]),
    ) as EraseReceipt['places'],
  }
}
