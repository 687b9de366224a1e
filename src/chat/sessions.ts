import { isOutage, messageOf, StorageError } from '../core/errors.ts'
import type { Item } from '../core/merge.ts'
import { itemStamp } from '../core/merge.ts'
import { maxStamp, STAMP_MIN, type Stamp } from '../core/stamp.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../strategy/write/write-port.ts'
import { conversationKey } from './keys.ts'
import type { Session, SessionTokens } from './session-token.ts'

/** Tries of a read with a token, and the time that they may take in all. */
const TRIES_MAX = 20
const PAUSE_MS = 100

/** An answer that says whether it has everything. */
type Complete = { readonly complete: boolean }

/** Session tokens of one tenant: what writes and reads hand out, and what reads make of them. */
export class Sessions {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #tokens: SessionTokens

  constructor(store: StrategicStorageManager, tenant: string, tokens: SessionTokens) {
    this.#store = store
    this.#tenant = tenant
    this.#tokens = tokens
  }

  /** The token of a write, as a field of its receipt. */
  ofWrite(
    conversationId: string,
    id: string,
    stamp: Stamp,
    { copies }: Pick<WriteOutcome, 'copies'>,
  ): { readonly session: string } {
    const inDatabase = copies.includes('primary') || copies.includes('backup')
    return this.#sign(stamp, inDatabase ? undefined : [conversationId, id])
  }

  /** The token of a page, as a field of it. */
  ofRead(items: readonly Item[]): { readonly session?: string } {
    const stamp = items.reduce((greatest, item) => maxStamp(greatest, itemStamp(item)), STAMP_MIN)
    return stamp === STAMP_MIN ? {} : this.#sign(stamp, undefined)
  }

  /**
   * Repeats a read until it is certain to have all that the token stands for.
   *
   * @throws StorageError `INVALID_ARGUMENT` for a foreign token, `UNAVAILABLE` when it cannot be made
   * certain in time.
   */
  async read<Answer extends Complete>(token: string, read: () => Promise<Answer>): Promise<Answer> {
    const session = this.#tokens.read(token, this.#tenant, this.#store.now())
    // What this process wrote or read itself it always sees.
    if (session.writer === this.#store.writer) return await read()
    let cause: unknown
    for (let i = 0; i < TRIES_MAX; i++) {
      if (i > 0) await this.#store.pause(PAUSE_MS)
      try {
        await this.#store.follow(session.stamp)
        const arrived = await this.#hasArrived(session)
        const page = await read()
        if (arrived && page.complete) return page
      } catch (error) {
        if (!isOutage(error)) throw error
        cause = error
      }
    }
    const why = cause === undefined ? '' : `: ${messageOf(cause)}`
    throw new StorageError('UNAVAILABLE', `the answer might be older than the session${why}`, {
      operation: 'read',
      ...(cause !== undefined && { cause }),
    })
  }

  /** A log is applied in its order: when its last message is there, the earlier ones are. */
  async #hasArrived({ logged, stamp }: Session): Promise<boolean> {
    if (logged === undefined) return true
    const [conversationId, id] = logged
    const key = conversationKey(this.#tenant, conversationId)
    const { items } = await this.#store.readItemsById(key, [id])
    if (items.length > 0) return true
    // It may have been cleared since.
    return await this.#store.isClearedThrough(key, stamp)
  }

  #sign(stamp: Stamp, logged: Session['logged']): { readonly session: string } {
    const session: Session = {
      tenant: this.#tenant,
      writer: this.#store.writer,
      stamp,
      ...(logged !== undefined && { logged }),
    }
    return { session: this.#tokens.sign(session) }
  }
}
