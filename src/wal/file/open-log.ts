import type { Env } from '../../core/env.ts'
import { messageOf, StorageError } from '../../core/errors.ts'
import type { ThroughOf } from '../../core/erase.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { stampMs } from '../../core/stamp.ts'
import { ACKNOWLEDGED, PENDING, QUARANTINED, type EntryState } from '../entry-table.ts'
import { keysOf, type PendingIndex } from '../pending-index.ts'
import type { Lsn, WalEntry } from '../wal.ts'
import { encodeGroup, payloadBytesMax } from './codec.ts'
import { Committer } from './committer.ts'
import type { DeadLetter, DeadLetters } from './dead-letters.ts'
import type { CommitGroup, NewAppend } from './commit-group.ts'
import {
  CEILING_AHEAD_MS,
  CEILING_DRIFT_MS_MAX,
  FORMER_WRITERS_MAX,
  META_RANGES_MAX,
} from './limits.ts'
import { loadEntries } from './load-entries.ts'
import { MetaKeeper } from './meta-keeper.ts'
import type { MetaBody } from './meta.ts'
import type { ResolvedFileWalOptions } from './options.ts'
import { RecentEntries } from './recent-entries.ts'
import type { Segments } from './segments.ts'

export interface OpenLogOptions {
  readonly env: Env
  readonly options: ResolvedFileWalOptions
  readonly path: string
  readonly writer: string
  readonly formerWriters: readonly string[]
  readonly index: PendingIndex
  readonly segments: Segments
  readonly letters: DeadLetters
  readonly salt: number
  readonly metaGeneration: number
  /** Stamps up to here may have been acknowledged, says the meta file. Unix milliseconds. */
  readonly ceilingMs: number
  /** Up to here they were given out, as far as is known. Unix milliseconds. */
  readonly reachedMs: number
  readonly onReadable: (place: DatabasePlace) => void
  /** The directory is gone: nothing is acknowledged any more, and another log is to go on. */
  readonly onLost: () => void
  /** Entries that are in memory already. */
  readonly recent?: RecentEntries
}

type Heritage = Required<
  Pick<OpenLogOptions, 'salt' | 'formerWriters' | 'ceilingMs' | 'reachedMs' | 'letters' | 'recent'>
>

/** A log that this process owns and writes to. */
export class OpenLog {
  readonly path: string
  readonly index: PendingIndex
  readonly meta: MetaKeeper
  readonly #options: OpenLogOptions
  readonly #committer: Committer
  readonly #recent: RecentEntries
  #formerWriters: readonly string[]
  #greatestMs: number
  /** `index.settled` when the meta file was written last. */
  #settledThen = 0
  /** Letters of entries that their place had acknowledged by then. */
  #lettersThen: readonly DeadLetter[] = []
  #trimming: Promise<void> | undefined
  #isLost = false

  constructor(options: OpenLogOptions) {
    const { env, path, index, segments, salt } = options
    this.#options = options
    this.path = path
    this.index = index
    this.#formerWriters = options.formerWriters.slice(-FORMER_WRITERS_MAX)
    this.#recent = options.recent ?? new RecentEntries(options.options.cacheBytes)
    this.#greatestMs = options.reachedMs
    this.#committer = new Committer({
      env,
      segments,
      salt,
      firstLsn: index.head + 1,
      prepare: (group) => this.#prepare(group),
      confirm: () => this.#confirm(),
      onRejected: () => void this.look(),
      onDurable: (group, offset) => this.#onDurable(group, offset),
    })
    this.meta = new MetaKeeper({
      env,
      directory: path,
      generation: options.metaGeneration,
      ceilingMs: options.ceilingMs,
      snapshot: () => this.#snapshot(),
      onSaved: (body) => this.#onSaved(body),
    })
  }

  get formerWriters(): readonly string[] {
    return this.#formerWriters
  }

  get syncs(): number {
    return this.#options.segments.syncs
  }

  get bytes(): number {
    return this.#options.segments.bytes
  }

  isFailed(): boolean {
    return this.#committer.failure !== undefined
  }

  /** Why it takes no appends at present. */
  get failure(): string | undefined {
    return this.#committer.failure?.message
  }

  /** What is wrong at present, in words. */
  problems(): readonly string[] {
    const failure = this.#committer.failure
    const meta = this.meta.failure
    return [
      ...(failure === undefined ? [] : [`takes no appends: ${failure.message}`]),
      ...(meta === undefined ? [] : [`acknowledgements are not saved: ${meta}`]),
    ]
  }

  /** Throws when the append is refused without effect. */
  append(append: NewAppend): void {
    this.#checkRoom()
    this.#committer.add(append, lackingOf(append))
    this.meta.raiseAhead()
  }

  /** Takes in an entry of another log. Resolves when it is durable. */
  async copy(
    operations: readonly Operation[],
    states: Readonly<Record<DatabasePlace, EntryState>>,
  ): Promise<Lsn> {
    return await new Promise((resolve, reject) => {
      const keys = keysOf(operations)
      // No limit applies: the entry takes space already, and refusing it would lose nothing less.
      const append = { operations, keys, ...states, resolve, reject }
      this.#committer.add(append, lackingOf(states))
    })
  }

  /** Saves that the entries of other writers, stamped up to the ceiling, are in this log now. */
  async takeOver(writers: readonly string[], ceilingMs: number): Promise<void> {
    const all = new Set([...writers, ...this.#formerWriters])
    this.#formerWriters = [...all].slice(-FORMER_WRITERS_MAX)
    this.#greatestMs = Math.max(this.#greatestMs, ceilingMs)
    await this.meta.save({ ceilingMs })
  }

  async quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void> {
    const { env, letters } = this.#options
    const state = this.index.state(place, lsn)
    if (state === ACKNOWLEDGED || state === QUARANTINED) return
    const [entry] = await this.load([lsn])
    const keys = keysOf(entry!.operations)
    const payload = Buffer.allocUnsafe(payloadBytesMax(entry!.operations, keys))
    const end = encodeGroup(payload, 0, entry!.operations, keys)
    await letters.add({ place, lsn, reason, atMs: env.now() }, payload.subarray(0, end))
    // Without effect where the place has acknowledged it meanwhile.
    this.index.quarantine(place, lsn)
    this.meta.request()
  }

  /** Why the place refused the entry. */
  refusalOf(place: DatabasePlace, lsn: Lsn): string {
    return this.#options.letters.get(place, lsn)?.reason ?? ''
  }

  async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    const { segments, letters } = this.#options
    const sources = { index: this.index, segments, letters, recent: this.#recent }
    return await loadEntries(sources, lsns)
  }

  onAcknowledged(lsns: readonly Lsn[]): void {
    for (const lsn of lsns) if (this.index.isDone(lsn)) this.#recent.remove(lsn)
    // A place that lost its data is saved at once: after a crash it would seem to have it.
    this.meta.request(lsns.length === 0 ? 0 : undefined)
  }

  /** Takes these payloads out of every file. Returns how many there were in segments. */
  async erase(throughOf: ThroughOf): Promise<number> {
    // No entry may go while its segment is written anew: what came back would leave a gap.
    while (this.#trimming !== undefined) await this.#trimming
    const { segments, letters } = this.#options
    const erasing = (async (): Promise<number> => {
      await this.#committer.seal()
      this.#recent.erase(throughOf)
      const count = await segments.erase(throughOf)
      await letters.erase(throughOf)
      return count
    })()
    this.#trimming = erasing.then(
      () => (this.#trimming = undefined),
      () => (this.#trimming = undefined),
    )
    return await erasing
  }

  /** Looks whether the directory is still there. */
  async look(): Promise<void> {
    const { env } = this.#options
    try {
      if (!(await env.disk.exists(this.path))) this.lose()
    } catch (error) {
      env.logger.warn({ error: messageOf(error) }, 'the folder of the log cannot be looked at')
    }
  }

  /** The directory is gone. Returns why nothing is acknowledged any more. */
  lose(): StorageError {
    const message = `the folder ${this.path} was removed, or another process took it over`
    const lost = new StorageError('UNAVAILABLE', message, { effect: 'unknown', place: 'wal' })
    if (this.#isLost) return lost
    this.#isLost = true
    this.meta.stop()
    this.#committer.fail(lost)
    this.#options.onLost()
    return lost
  }

  get isLost(): boolean {
    return this.#isLost
  }

  /** What a log that goes on with this one's entries begins with. */
  get heritage(): Heritage {
    const { salt, letters } = this.#options
    return {
      salt,
      letters,
      ceilingMs: Math.max(this.#greatestMs, this.meta.ceilingMs),
      reachedMs: this.#greatestMs,
      formerWriters: this.#formerWriters,
      recent: this.#recent,
    }
  }

  /** Saves everything and lets go of the files. */
  async close(): Promise<void> {
    const { env, segments, letters } = this.#options
    await this.#committer.close()
    this.meta.stop()
    const empty = this.index.settled === this.index.head
    try {
      await this.meta.save({ clean: true, ceilingMs: this.#greatestMs })
      await this.#trimming
      await segments.close(empty)
    } catch (error) {
      // What was acknowledged is in the segments; at worst it is sent to the places again.
      env.logger.warn({ error: messageOf(error) }, 'the log was not closed in order')
      await segments.letGo()
    }
    await letters.close()
    this.#recent.clear()
  }

  /** Lets go of the files without saving: the directory is gone. */
  async abandon(): Promise<void> {
    await this.#committer.close()
    this.meta.stop()
    await this.#options.segments.letGo()
    await this.#options.letters.close()
  }

  isFull(): boolean {
    const { segments, options } = this.#options
    const limit = options.pendingBytesMax
    return this.#pendingBytes() >= limit || segments.sealedBytes >= 2 * limit + options.segmentBytes
  }

  #pendingBytes(): number {
    return this.index.pendingBytes + this.#committer.waitingBytes
  }

  #checkRoom(): void {
    if (!this.isFull()) return
    const pending = this.#pendingBytes()
    const limit = this.#options.options.pendingBytesMax
    throw new StorageError('OVERLOADED', `the log has ${pending} bytes pending (limit ${limit})`, {
      place: 'wal',
    })
  }

  /** Before a group is written: its stamps must not be above the saved ceiling. */
  #prepare(group: CommitGroup): Promise<void> | undefined {
    if (group.head === '') return undefined
    const ms = stampMs(group.head)
    const isAhead = ms - this.#options.env.now() > CEILING_DRIFT_MS_MAX
    // Where the log went on from a clock that was ahead, all keys are there, not this one alone.
    if (isAhead && ms - this.#greatestMs > CEILING_AHEAD_MS) return undefined
    this.#greatestMs = Math.max(this.#greatestMs, ms)
    return ms <= this.meta.ceilingMs ? undefined : this.#raise(ms)
  }

  async #raise(ms: number): Promise<void> {
    try {
      await this.meta.raise(ms)
    } catch (cause) {
      const message = `the ceiling was not saved: ${messageOf(cause)}`
      throw new StorageError('UNAVAILABLE', message, { effect: 'none', place: 'wal', cause })
    }
  }

  /**
   * What was written counts if the segment has its name yet: whoever takes the log over renames the directory
   * first and reads it then, so it has all that was synced before.
   */
  async #confirm(): Promise<void> {
    if (!(await this.#options.segments.isNamed())) throw this.lose()
  }

  #onDurable(group: CommitGroup, offset: number): void {
    const atMs = this.#options.env.now()
    const readable = { primary: false, backup: false }
    for (const append of group.appends) {
      const { lsn, keys, bytes, operations, primary, backup } = append
      const states = { primary, backup }
      this.index.add({ lsn, keys, bytes, offset: offset + append.offset, atMs, states })
      this.#recent.add({ lsn, operations })
      readable.primary ||= primary === PENDING
      readable.backup ||= backup === PENDING
    }
    if (readable.primary) this.#options.onReadable('primary')
    if (readable.backup) this.#options.onReadable('backup')
  }

  #snapshot(): Omit<MetaBody, 'ceilingMs' | 'clean'> {
    const { index } = this
    const { writer, options, letters } = this.#options
    this.#settledThen = index.settled
    this.#lettersThen = letters
      .all()
      .filter(({ place, lsn }) => index.state(place, lsn) === ACKNOWLEDGED)
    return {
      writer,
      formerWriters: this.#formerWriters,
      reachedMs: Math.max(this.#options.env.now(), this.#greatestMs),
      head: index.head,
      durableThrough: options.sync === 'always' ? index.head : 0,
      acknowledged: {
        primary: index.acknowledged('primary', META_RANGES_MAX),
        backup: index.acknowledged('backup', META_RANGES_MAX),
      },
    }
  }

  /** Entries go only after they were saved as acknowledged. */
  #onSaved({ acknowledged }: MetaBody): void {
    const { segments, letters } = this.#options
    // Not before: its segment may be gone, and the letter then is all there is of the entry.
    for (const { place, lsn } of this.#lettersThen) {
      if (this.index.state(place, lsn) !== ACKNOWLEDGED) continue
      letters.settle(place, lsn)
      if (this.index.isDone(lsn) && !segments.has(lsn)) this.index.drop(lsn)
    }
    const saved = Math.min(
      acknowledged.primary.at(-1)?.[1] ?? 0,
      acknowledged.backup.at(-1)?.[1] ?? 0,
    )
    // As it was when it was saved, and as it is now: a place may have lost its data since.
    const settled = Math.min(saved, this.#settledThen, this.index.settled)
    const last = segments.removable(settled)
    if (this.#trimming !== undefined || (last === 0 && !segments.hasLeftovers)) return
    this.#trimming = this.#trim(last).finally(() => (this.#trimming = undefined))
  }

  async #trim(last: Lsn): Promise<void> {
    try {
      this.index.dropThrough(last)
      await this.#options.segments.removeThrough(last)
    } catch (error) {
      this.#options.env.logger.warn({ error: messageOf(error) }, 'a segment was not removed')
      this.meta.request()
    }
  }
}

function lackingOf({ primary, backup }: Readonly<Record<DatabasePlace, EntryState>>): number {
  return (primary === ACKNOWLEDGED ? 0 : 1) | (backup === ACKNOWLEDGED ? 0 : 2)
}
