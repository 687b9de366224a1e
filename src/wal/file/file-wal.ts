/**
 * A log on this machine's disk. How it is laid out and why nothing acknowledged can be lost:
 * `docs/wal-format.md`.
 */
import { join } from 'node:path'
import { isUnusablePath } from '../../backend/permanent-cause.ts'
import type { Env, Timer } from '../../core/env.ts'
import type { ThroughOf } from '../../core/erase.ts'
import {
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
} from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { backoffMs, sleep } from '../../core/time.ts'
import { checkNotEmpty, IndexedWal, statesOf } from '../indexed-wal.ts'
import { keysOf } from '../pending-index.ts'
import {
  REFUSED_MAX,
  type Lsn,
  type RefusedEntry,
  type WalAppendOptions,
  type WalEntry,
} from '../wal.ts'
import type { WalErased, WalOpened, WalStats } from '../wal.ts'
import { findErasable } from './find-erasable.ts'
import { RETRY_FIRST_MS, RETRY_MAX_MS } from './limits.ts'
import { LogDirectory } from './log-directory.ts'
import type { OpenLog } from './open-log.ts'
import {
  resolveFileWalOptions,
  type FileWalOptions,
  type ResolvedFileWalOptions,
} from './options.ts'
import { renewLog } from './renew-log.ts'
import { checkWriter } from './segment-header.ts'
import { adoptLog, openLog, type OpenLogRequest } from './takeover.ts'

export class FileWal extends IndexedWal {
  readonly #options: ResolvedFileWalOptions
  readonly #directory: LogDirectory
  #log: OpenLog | undefined
  #heartbeat: Timer | undefined
  #beat: Promise<void> | undefined
  #adopting: Promise<void> | undefined
  #renewing: Promise<void> | undefined
  #stop = new AbortController()
  #opening = false
  #writer = ''
  /** Entries that went with a directory of this log. */
  #lostEntries = 0
  /** Logs of others that are damaged, and how. */
  readonly #damaged = new Map<string, string>()

  constructor(env: Env, options: FileWalOptions) {
    super(env)
    this.#options = resolveFileWalOptions(options)
    this.#directory = new LogDirectory(env, this.#options.directory)
  }

  /**
   * Takes over the logs of processes that have ended, in this directory.
   *
   * @throws StorageError `CORRUPT` with file and offset when one of them is damaged; it is left as
   *   it was. `UNAVAILABLE` when the disk takes no new segment: opening may be tried again.
   */
  async open(writer: string): Promise<WalOpened> {
    checkWriter(writer)
    if (this.isOpen || this.#opening) throw new StorageError('CONFLICT', 'the log is open already')
    this.#opening = true
    this.#writer = writer
    this.#stop = new AbortController()
    try {
      const { log, opened } = await openLog(this.env, this.#request())
      this.#log = log
      this.index = log.index
      this.isOpen = true
      this.#scheduleHeartbeat()
      if (log.isLost) this.#lost()
      return opened
    } catch (error) {
      if (isStorageError(error)) throw error
      throw this.#notOpened(error)
    } finally {
      this.#opening = false
    }
  }

  append(operations: readonly Operation[], { hold }: WalAppendOptions = {}): Promise<Lsn> {
    return new Promise((resolve, reject) => {
      const log = this.opened(this.#log)
      checkNotEmpty(operations)
      log.append({ operations, keys: keysOf(operations), ...statesOf(hold), resolve, reject })
    })
  }

  override isFull(): boolean {
    return this.#log?.isFull() === true
  }

  override formerWriters(): readonly string[] {
    return this.#log?.formerWriters ?? []
  }

  async quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void> {
    await this.opened(this.#log).quarantine(place, lsn, reason)
  }

  async retryQuarantined(place: DatabasePlace): Promise<number> {
    const count = this.index.unquarantine(place)
    if (count > 0) this.notify(place)
    return count
  }

  async refused(place: DatabasePlace): Promise<readonly RefusedEntry[]> {
    const log = this.opened(this.#log)
    const entries = await log.load(this.index.quarantined(place, REFUSED_MAX))
    return entries.map(({ lsn, operations }) => ({
      place,
      reason: log.refusalOf(place, lsn),
      keys: keysOf(operations),
    }))
  }

  async erase(throughOf: ThroughOf): Promise<WalErased> {
    const log = this.opened(this.#log)
    const count = await log.erase(throughOf)
    this.forgetItems()
    const pending: string[] = []
    for (const name of await this.#directory.others(log.path)) {
      const path = join(this.#directory.path, name)
      if (this.#damaged.has(name)) pending.push(`the log ${name} is damaged and was left as it is`)
      else if (await findErasable(this.env, path, throughOf)) {
        pending.push(`the log ${name} of another process`)
      }
    }
    return {
      count,
      pending,
      remains: [
        'blocks of removed files, until the file system reuses them',
        'logs in other folders and on other machines, until their processes have seen this erase',
      ],
    }
  }

  stats(): WalStats {
    const log = this.#log
    const damaged = [...this.#damaged].map(([name, reason]) => `${name}: ${reason}`)
    return {
      ...this.indexStats(),
      type: 'file',
      durable: this.#options.sync === 'always',
      reasons: [
        this.#options.sync === 'always'
          ? 'appends are acknowledged once they are on the disk'
          : 'sync is never: a crash of the machine loses the last appends',
        ...(log?.problems() ?? []),
        ...(this.#lostEntries > 0 ? [`${this.#lostEntries} entries went with a folder of it`] : []),
        ...damaged,
      ],
      state: !this.isOpen ? 'closed' : log?.isFailed() === true ? 'failed' : 'open',
      ...(log?.failure !== undefined && { lastError: log.failure }),
      bytes: log?.bytes ?? 0,
      pendingBytesMax: this.#options.pendingBytesMax,
      syncs: log?.syncs ?? 0,
    }
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    this.isOpen = false
    this.#heartbeat?.cancel()
    this.#stop.abort()
    await Promise.all([this.#beat, this.#adopting, this.#renewing])
    const log = this.#log!
    this.#log = undefined
    await log.close()
    try {
      await this.#directory.free(log.path)
    } catch (error) {
      // As after a crash: whoever finds that nobody listens takes it over.
      await this.#directory.forget(log.path)
      this.env.logger.warn({ error: messageOf(error) }, 'the log was not released')
    }
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    return await this.opened(this.#log).load(lsns)
  }

  protected override onAcknowledged(_place: DatabasePlace, lsns: readonly Lsn[]): void {
    this.#log?.onAcknowledged(lsns)
  }

  #notOpened(cause: unknown): StorageError {
    if (!isUnusablePath(cause)) return unavailable('opening the log failed', cause)
    const text = `cannot open the log ${this.#options.directory}: ${messageOf(cause)}`
    return new StorageConnectionError('file', text, { place: 'wal', cause, permanent: true })
  }

  #scheduleHeartbeat(): void {
    this.#heartbeat = this.env.setTimer(this.#options.heartbeatMs, () => {
      this.#beat = this.#runHeartbeat().finally(() => {
        this.#beat = undefined
        if (this.isOpen) this.#scheduleHeartbeat()
      })
    })
  }

  /** Shows that this process lives. Taking over logs of those that do not may take longer than that. */
  async #runHeartbeat(): Promise<void> {
    const log = this.#log!
    if (log.isLost) return
    try {
      await this.#directory.show(log.path)
    } catch (error) {
      this.env.logger.warn({ error: messageOf(error) }, 'the heartbeat of the log failed')
      await log.look()
    }
    if (!log.isFailed()) this.#adopting ??= this.#adoptAbandoned()
  }

  async #adoptAbandoned(): Promise<void> {
    try {
      for (const name of await this.#directory.abandoned()) {
        if (!this.isOpen || this.#log!.isFailed()) return
        if (!this.#damaged.has(name)) await this.#adopt(name)
      }
    } catch (error) {
      this.env.logger.warn({ error: messageOf(error) }, 'a log was not taken over')
    } finally {
      this.#adopting = undefined
    }
  }

  /** The directory is gone. Until the log goes on in a new one appends are refused. */
  #lost(): void {
    if (this.#log === undefined || !this.isOpen) return
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
      if (this.#log?.isLost === true) this.#lost()
    })
  }

  async #renew(): Promise<void> {
    const { signal } = this.#stop
    const pause = { firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS }
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await this.#goOn()
      } catch (error) {
        this.env.logger.warn({ error: messageOf(error) }, 'the log has no folder yet')
      }
      await sleep(this.env, backoffMs(this.env, attempt, pause), signal)
    }
  }

  async #goOn(): Promise<void> {
    // Never before its caller has kept its promise.
    await Promise.resolve()
    const former = this.#log!
    this.env.logger.error(
      { path: former.path },
      'the folder of the log is gone; it goes on in a new one',
    )
    const { log, lost } = await renewLog(this.env, this.#request(), former)
    this.#log = log
    this.#lostEntries += lost
    if (lost > 0) this.env.logger.error({ lost }, 'entries of the log went with its folder')
    await former.abandon()
    await this.#directory.forget(former.path)
    for (const place of DATABASE_PLACES) this.notify(place)
  }

  #request(): OpenLogRequest {
    return {
      directory: this.#directory,
      options: this.#options,
      writer: this.#writer,
      onReadable: (place) => this.notify(place),
      onLost: () => this.#lost(),
    }
  }

  async #adopt(name: string): Promise<void> {
    try {
      await adoptLog(this.env, this.#directory, this.#log!, name)
    } catch (error) {
      if (!isStorageError(error, 'CORRUPT') && !isStorageError(error, 'UNSUPPORTED')) throw error
      // It stays where it is, for a person to look at; the status names it.
      this.#damaged.set(name, error.message)
      this.env.logger.error(
        { error: error.message, name },
        'a log left by another process is damaged',
      )
    }
  }
}

function unavailable(what: string, cause: unknown): StorageError {
  return new StorageError('UNAVAILABLE', `${what}: ${messageOf(cause)}`, { place: 'wal', cause })
}
