import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { ACKNOWLEDGED, PENDING, QUARANTINED, type EntryState } from '../entry-table.ts'
import { PendingIndex } from '../pending-index.ts'
import type { Lsn } from '../wal.ts'
import { groupMs, skimGroup } from './codec.ts'
import { corrupt } from './corrupt.ts'
import { DeadLetters } from './dead-letters.ts'
import { firstMissing, LsnRanges } from './lsn-ranges.ts'
import { readMeta, type FoundMeta, type Meta } from './meta.ts'
import { Segment } from './segment.ts'
import { scanSegment, segmentFiles, type SegmentFile } from './segment-scan.ts'

/** An entry of the last write, which may not be on disk although it can be read. */
export interface TailEntry {
  readonly lsn: Lsn
  readonly payload: Buffer
  readonly states: Readonly<Record<DatabasePlace, EntryState>>
  readonly keys: readonly string[]
  readonly atMs: number
}

export interface RecoveredLog {
  readonly meta: Meta | undefined
  readonly index: PendingIndex
  readonly segments: readonly Segment[]
  readonly letters: DeadLetters
  /** Not in the index yet: its entries have to be written again first. */
  readonly tail: readonly TailEntry[]
  /** Greatest LSN, tail included. */
  readonly head: Lsn
  readonly headStamp: Stamp | undefined
  /** Every writer that this log has known, oldest first. */
  readonly writers: readonly string[]
  readonly generation: number
}

/**
 * Reads what a directory holds. Nothing is changed, so doing it twice gives the same.
 *
 * @throws StorageError `CORRUPT` with file and offset; `UNSUPPORTED` for another format version.
 */
export async function recoverLog(
  env: Env,
  directory: string,
  writer: string,
): Promise<RecoveredLog> {
  const names = await fileNames(env, directory)
  const found = await readMeta(env, directory, names)
  const letters = await DeadLetters.recover(env, directory, writer, names)
  try {
    const recovery = new Recovery(env, directory, found, letters, segmentFiles(names))
    return await recovery.run()
  } catch (error) {
    await letters.close()
    throw error
  }
}

interface FoundEntry {
  readonly lsn: Lsn
  /** The payload is in here; nothing is copied for entries that are only indexed. */
  readonly buffer: Buffer
  readonly payloadStart: number
  readonly payloadEnd: number
  readonly lacking: number
  readonly keys: readonly string[]
  readonly atMs: number
  readonly offset: number
  readonly bytes: number
}

class Recovery {
  readonly #env: Env
  readonly #directory: string
  readonly #found: FoundMeta
  readonly #letters: DeadLetters
  readonly #files: readonly SegmentFile[]
  readonly #acknowledged: Readonly<Record<DatabasePlace, LsnRanges>>
  readonly #index: PendingIndex
  readonly #segments: Segment[] = []
  readonly #writers: string[]
  #tail: FoundEntry[] = []
  #tailFirst = 0
  #headStamp: Stamp | undefined

  constructor(
    env: Env,
    directory: string,
    found: FoundMeta,
    letters: DeadLetters,
    files: readonly SegmentFile[],
  ) {
    const { meta } = found
    this.#env = env
    this.#directory = directory
    this.#found = found
    this.#letters = letters
    this.#files = files
    this.#acknowledged = {
      primary: new LsnRanges(meta?.acknowledged.primary ?? []),
      backup: new LsnRanges(meta?.acknowledged.backup ?? []),
    }
    const first = files[0]?.firstLsn ?? (meta?.head ?? 0) + 1
    this.#index = new PendingIndex(Math.min(first, letters.lsns()[0] ?? first) - 1)
    this.#writers = meta === undefined ? [] : [...meta.formerWriters, meta.writer]
  }

  async run(): Promise<RecoveredLog> {
    await this.#env.failpoints.hit('wal.recover')
    this.#checkBeginning()
    await this.#addLetters()
    for (const [i, file] of this.#files.entries()) {
      await this.#scan(file, this.#files[i + 1]?.firstLsn)
    }
    return this.#finish()
  }

  get #meta(): Meta | undefined {
    return this.#found.meta
  }

  get #firstLsn(): Lsn {
    return this.#files[0]?.firstLsn ?? (this.#meta?.head ?? 0) + 1
  }

  /** What is in no segment any more must have been acknowledged, or be a dead letter. */
  #checkBeginning(): void {
    const meta = this.#meta
    // An older generation of the meta file knows too little to tell.
    if (meta === undefined || this.#found.damage.length > 0) return
    for (const place of DATABASE_PLACES) {
      const missing = firstMissing(
        meta.acknowledged[place],
        this.#firstLsn - 1,
        (lsn) => this.#letters.get(place, lsn) !== undefined,
      )
      if (missing === undefined) continue
      const reason = `entry ${missing}, which the ${place} lacks, is in no segment`
      throw corrupt({ path: this.#directory, offset: 0, reason })
    }
  }

  /** Dead letters whose segments are gone. */
  async #addLetters(): Promise<void> {
    for (const lsn of this.#letters.lsns()) {
      if (lsn >= this.#firstLsn) break
      const payload = await this.#letters.readPayload(lsn)
      const { keys, head } = skimGroup(payload, 0)
      this.#headStamp = maxStamp(this.#headStamp, head)
      // Without a letter of a place the entry was acknowledged there: else its segment were here.
      const states = this.#states(lsn, 0)
      const atMs = groupMs(payload, 0)
      if (states.primary === ACKNOWLEDGED && states.backup === ACKNOWLEDGED) continue
      this.#index.add({ lsn, keys, bytes: payload.byteLength, offset: 0, atMs, states })
    }
  }

  async #scan(file: SegmentFile, until: Lsn | undefined): Promise<void> {
    const options = {
      durableThrough: this.#meta?.durableThrough ?? 0,
      ...(until !== undefined && { until }),
    }
    const scanned = await scanSegment(
      this.#env,
      this.#directory,
      file,
      options,
      (frame, buffer, offset) => {
        // Entries wait for the end of their write: the last write is treated apart.
        if (frame.groupFirst !== this.#tailFirst) this.#flushTail()
        this.#tailFirst = frame.groupFirst
        const { keys, head } = skimGroup(buffer, frame.payloadStart)
        this.#headStamp = maxStamp(this.#headStamp, head)
        this.#tail.push({
          lsn: frame.lsn,
          buffer,
          payloadStart: frame.payloadStart,
          payloadEnd: frame.payloadEnd,
          lacking: frame.lacking,
          keys,
          atMs: groupMs(buffer, frame.payloadStart),
          offset,
          bytes: frame.end - frame.start,
        })
      },
    )
    if (scanned.damage !== undefined) throw corrupt(scanned.damage)
    if (until !== undefined) this.#flushTail()
    if (scanned.torn) {
      const { path, end } = scanned
      this.#env.logger.warn({ path, offset: end }, 'the log ends in a write that was cut short')
    }
    const { header, size, end } = scanned
    this.#segments.push(new Segment(this.#env.disk, this.#directory, header!, { size, used: end }))
    if (!this.#writers.includes(header!.writer)) this.#writers.push(header!.writer)
  }

  #flushTail(): void {
    for (const { lsn, keys, offset, bytes, atMs, lacking } of this.#tail) {
      const states = this.#states(lsn, lacking)
      this.#index.add({ lsn, keys, offset, bytes, atMs, states })
    }
    this.#tail = []
  }

  #states(lsn: Lsn, lacking: number): Readonly<Record<DatabasePlace, EntryState>> {
    return {
      primary: this.#state('primary', lsn, (lacking & 1) !== 0),
      backup: this.#state('backup', lsn, (lacking & 2) !== 0),
    }
  }

  #state(place: DatabasePlace, lsn: Lsn, lacks: boolean): EntryState {
    if (this.#acknowledged[place].has(lsn)) {
      if (this.#letters.size > 0) this.#letters.settle(place, lsn)
      return ACKNOWLEDGED
    }
    if (this.#letters.size > 0 && this.#letters.get(place, lsn) !== undefined) return QUARANTINED
    return lacks ? PENDING : ACKNOWLEDGED
  }

  #finish(): RecoveredLog {
    const meta = this.#meta
    const head = this.#tail.at(-1)?.lsn ?? Math.max(this.#index.head, this.#firstLsn - 1)
    const durableThrough = meta?.durableThrough ?? 0
    if (head < durableThrough) {
      const reason = `the log ends at entry ${head}, and ${durableThrough} was on disk`
      throw corrupt({ path: this.#directory, offset: 0, reason })
    }
    // What was surely synced needs not be written again.
    if (head <= durableThrough) this.#flushTail()
    this.#index.skipTo(this.#tail[0] === undefined ? head : this.#tail[0].lsn - 1)
    return {
      meta,
      index: this.#index,
      segments: this.#segments,
      letters: this.#letters,
      tail: this.#tail.map(({ lsn, buffer, payloadStart, payloadEnd, lacking, keys, atMs }) => ({
        lsn,
        payload: buffer.subarray(payloadStart, payloadEnd),
        states: this.#states(lsn, lacking),
        keys,
        atMs,
      })),
      head,
      headStamp: this.#headStamp,
      writers: this.#writers,
      generation: this.#files.reduce((max, { generation }) => Math.max(max, generation), 0),
    }
  }
}

/** The names of the regular files. Whoever puts a symbolic link here gets a refusal. */
async function fileNames(env: Env, directory: string): Promise<ReadonlySet<string>> {
  const entries = await env.disk.list(directory)
  const link = entries.find(({ kind }) => kind === 'other')
  if (link !== undefined) {
    throw new StorageError('REJECTED', `${directory}/${link.name} is not a regular file`, {
      place: 'wal',
    })
  }
  return new Set(entries.filter(({ kind }) => kind === 'file').map(({ name }) => name))
}
