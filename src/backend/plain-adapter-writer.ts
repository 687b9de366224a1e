import { isStorageError, messageOf, StorageError, type Effect } from '../core/errors.ts'
import { applyOperation, type KeyState } from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import { maxStamp, type Stamp } from '../core/stamp.ts'
import type { BatchCall } from './batcher.ts'
import { copyState, isRefused, judgeCall, type Judged } from './key-states.ts'
import type { PlainDocuments, PlainMeta } from './plain-documents.ts'
import type { ApplyResult } from './replica-backend.ts'

/** The outcome of a batch before it is written. */
interface Plan {
  readonly results: readonly Judged[]
  /** The changed keys as they were and as they will be. */
  readonly changes: ReadonlyMap<string, { readonly before: KeyState; readonly after: KeyState }>
  /** The operations of groups over several keys. */
  readonly journal: readonly Operation[]
  readonly head: Stamp | undefined
}

/**
 * Writes batches through `PlainDocuments`, one at a time: whoever calls it keeps them from
 * overlapping. The order of writes within a batch is what makes a crash at any point harmless:
 * hints (raised for nothing at worst), journal, keys, empty journal, cursors (too low at worst).
 */
export class PlainAdapterWriter {
  readonly #documents: PlainDocuments
  readonly #newIdentity: () => string
  /** In the journal, but perhaps not in all of their keys yet. Readers overlay them. */
  #journal: readonly Operation[] = []
  #head: Stamp | undefined

  constructor(documents: PlainDocuments, newIdentity: () => string) {
    this.#documents = documents
    this.#newIdentity = newIdentity
  }

  /** The greatest stamp that was written or observed. */
  get head(): Stamp | undefined {
    return this.#head
  }

  observe(stamp: Stamp | undefined): void {
    this.#head = maxStamp(this.#head, stamp)
  }

  /** The state of a key as a reader may see it: groups over several keys are there whole. */
  async readState(key: string): Promise<KeyState> {
    // Taken first: what is applied while the document is read is in it.
    const journal = this.#journal
    const state = await this.#documents.readState(key)
    for (const operation of [...journal, ...this.#journal]) {
      if (operation.key === key) applyOperation(state, operation)
    }
    return state
  }

  /** Takes over what an earlier process left in the journal. */
  async recover(): Promise<void> {
    this.#journal = await this.#documents.readJournal()
    await this.#applyJournal()
  }

  /** Judges the calls in order, writes what they change and answers each. */
  async write(calls: readonly BatchCall[], identity: string): Promise<readonly ApplyResult[]> {
    const plan = await before(this.#prepare(calls))
    const { hints, cursors } = metaOf(calls)
    if (hints.length > 0) await unknown(this.#raiseHints(hints))
    await this.#writeChanges(plan)
    if (cursors.length > 0) await unknown(this.#raiseCursors(cursors))
    this.observe(plan.head)
    return plan.results.map((judged) => ({ identity, ...judged }))
  }

  /** The database's own facts; made with a new identity in one that is empty. */
  async openMeta(): Promise<PlainMeta> {
    const existing = await this.#documents.readMeta()
    if (existing !== undefined) return existing
    const meta = {
      identity: this.#newIdentity(),
      hints: new Map(),
      hintCount: 0,
      cursors: new Map(),
    }
    await this.#documents.writeMeta(meta)
    return meta
  }

  /** Reads, changes and writes the database's own facts. */
  async updateMeta(change: (meta: PlainMeta) => PlainMeta): Promise<void> {
    await this.#documents.writeMeta(change(await this.openMeta()))
  }

  async #prepare(calls: readonly BatchCall[]): Promise<Plan> {
    await this.#applyJournal()
    const keys = new Set(
      calls.flatMap(({ operations, conditions = [] }) =>
        [...operations, ...conditions].map(({ key }) => key),
      ),
    )
    const states = await mapOf([...keys], (key) => this.#documents.readState(key))
    const after = new Map<string, KeyState>()
    const journal: Operation[] = []
    let head: Stamp | undefined
    const results = calls.map((given) => {
      const { operations } = given
      const judged = judgeCall(given, (key) => after.get(key) ?? states.get(key)!)
      if (isRefused(judged)) return judged
      const { applied } = judged
      const effective = operations.filter((_, i) => applied[i]!.outcome === 'applied')
      for (const operation of effective) {
        const { key, stamp } = operation
        if (!after.has(key)) after.set(key, copyState(states.get(key)))
        applyOperation(after.get(key)!, operation)
        head = maxStamp(head, stamp)
      }
      if (new Set(effective.map(({ key }) => key)).size > 1) journal.push(...effective)
      return judged
    })
    const changes = new Map(
      [...after].map(([key, state]) => [key, { before: states.get(key)!, after: state }]),
    )
    return { results, changes, journal, head }
  }

  async #writeChanges({ changes, journal }: Plan): Promise<void> {
    if (journal.length > 0) {
      await unknown(this.#documents.writeJournal(journal))
      this.#journal = journal
    }
    const entries = [...changes]
    const outcomes = await Promise.allSettled(
      entries.map(([key, { after }]) => this.#documents.writeState(key, after)),
    )
    const failures = outcomes.map((outcome): unknown =>
      outcome.status === 'rejected' ? outcome.reason : undefined,
    )
    const refusal = failures.find(isRefusedForGood)
    if (refusal !== undefined) {
      const written = entries.filter((_, i) => !isRefusedForGood(failures[i]))
      await unknown(this.#takeBack(written.map(([key, change]) => [key, change.before])))
      throw new StorageError('REJECTED', messageOf(refusal), { cause: refusal })
    }
    const failure = failures.find((reason) => reason !== undefined)
    if (failure !== undefined) throw failed(failure, 'unknown')
    if (journal.length > 0) await unknown(this.#emptyJournal())
  }

  /** Puts the keys back as they were. Nobody else has written them since: batches do not overlap. */
  async #takeBack(entries: readonly (readonly [string, KeyState])[]): Promise<void> {
    const hadJournal = this.#journal.length > 0
    await mapOf([...entries], ([key, state]) => this.#documents.writeState(key, state))
    if (hadJournal) await this.#emptyJournal()
  }

  /** Brings the operations of the journal into their keys. */
  async #applyJournal(): Promise<void> {
    if (this.#journal.length === 0) return
    const keys = new Set(this.#journal.map(({ key }) => key))
    await mapOf([...keys], async (key) => {
      await this.#documents.writeState(key, await this.readState(key))
    })
    await this.#emptyJournal()
  }

  async #emptyJournal(): Promise<void> {
    await this.#documents.writeJournal([])
    this.#journal = []
  }

  async #raiseHints(writers: readonly string[]): Promise<void> {
    await this.updateMeta((meta) => {
      const hints = new Map(meta.hints)
      let { hintCount } = meta
      for (const writer of writers) hints.set(writer, ++hintCount)
      return { ...meta, hints, hintCount }
    })
  }

  async #raiseCursors(raised: readonly { writer: string; lsn: number }[]): Promise<void> {
    await this.updateMeta((meta) => {
      const cursors = new Map(meta.cursors)
      for (const { writer, lsn } of raised) {
        cursors.set(writer, Math.max(lsn, cursors.get(writer) ?? 0))
      }
      return { ...meta, cursors }
    })
  }
}

function metaOf(calls: readonly BatchCall[]): {
  readonly hints: readonly string[]
  readonly cursors: readonly { readonly writer: string; readonly lsn: number }[]
} {
  return {
    hints: calls.flatMap(({ hint }) => (hint === undefined ? [] : [hint])),
    cursors: calls.flatMap(({ cursor }) => (cursor === undefined ? [] : [cursor])),
  }
}

async function mapOf<From, To>(
  from: readonly From[],
  to: (value: From) => Promise<To>,
): Promise<Map<From, To>> {
  return new Map(
    await Promise.all(from.map(async (value): Promise<[From, To]> => [value, await to(value)])),
  )
}

/** The backend will never take this value, in contrast to an outage. */
function isRefusedForGood(error: unknown): boolean {
  return isStorageError(error, 'REJECTED') || isStorageError(error, 'INVALID_ARGUMENT')
}

/** Runs before anything of the batch was written. */
async function before<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw failed(error, 'none')
  }
}

/** Runs when something of the batch may have been written, whatever the backend says. */
async function unknown<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw failed(error, 'unknown')
  }
}

function failed(error: unknown, effect: Effect): StorageError {
  if (isStorageError(error, 'CORRUPT')) return error
  return new StorageError('UNAVAILABLE', messageOf(error), { effect, cause: error })
}
