import type { DiskEntry } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { ACKNOWLEDGED, PENDING, QUARANTINED, type EntryState } from '../entry-table.ts'
import { PendingIndex, type NewEntry } from '../pending-index.ts'
import type { Lsn } from '../wal.ts'
import { groupMs, skimGroup } from './codec.ts'
import { corrupt } from './corrupt.ts'
import { DeadLetters } from './dead-letters.ts'
import type { Frame } from './frame.ts'
import { KeyNames } from './key-names.ts'
import { firstMissing, LsnRanges } from './lsn-ranges.ts'
import { readMeta, type FoundMeta, type Meta } from './meta.ts'
import { isSocket } from './owner.ts'
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

/** The entries of one write, field by field: a million objects would cost more than the index. */
class WriteGroup {
  count = 0
  #first: Lsn = 0
  readonly #keys: (readonly string[])[] = []
  readonly #atMs: number[] = []
  readonly #offsets: number[] = []
  readonly #bytes: number[] = []
  readonly #lacking: number[] = []

  push(frame: Frame, offset: number, keys: readonly string[], atMs: number): void {
    const i = this.count++
    if (i === 0) this.#first = frame.lsn
    this.#keys[i] = keys
    this.#atMs[i] = atMs
    this.#offsets[i] = offset
    this.#bytes[i] = frame.end - frame.start
    this.#lacking[i] = frame.lacking
  }

  /** The i-th entry, without its states. LSNs within a write have no gaps. */
  at(i: number): Omit<NewEntry, 'states'> & { readonly lacking: number } {
    return {
      lsn: this.#first + i,
      keys: this.#keys[i]!,
      atMs: this.#atMs[i]!,
      offset: this.#offsets[i]!,
      bytes: this.#bytes[i]!,
      lacking: this.#lacking[i]!,
    }
  }
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
  readonly #names = new KeyNames()
  readonly #tail = new WriteGroup()
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
    return await this.#finish()
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
        const { keys, head } = skimGroup(buffer, frame.payloadStart, this.#names)
        this.#headStamp = maxStamp(this.#headStamp, head)
        this.#tail.push(frame, offset, keys, groupMs(buffer, frame.payloadStart))
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
    for (let i = 0; i < this.#tail.count; i++) {
      const { lsn, keys, offset, bytes, atMs, lacking } = this.#tail.at(i)
      this.#index.add({ lsn, keys, offset, bytes, atMs, states: this.#states(lsn, lacking) })
    }
    this.#tail.count = 0
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

  async #finish(): Promise<RecoveredLog> {
    const meta = this.#meta
    const last = this.#tail.count === 0 ? undefined : this.#tail.at(this.#tail.count - 1).lsn
    const head = last ?? Math.max(this.#index.head, this.#firstLsn - 1)
    const durableThrough = meta?.durableThrough ?? 0
    if (head < durableThrough) {
      const reason = `the log ends at entry ${head}, and ${durableThrough} was on disk`
      throw corrupt({ path: this.#directory, offset: 0, reason })
    }
    // What was surely synced needs not be written again.
    if (head <= durableThrough) this.#flushTail()
    this.#index.skipTo(head - this.#tail.count)
    return {
      meta,
      index: this.#index,
      segments: this.#segments,
      letters: this.#letters,
      tail: await this.#readTail(),
      head,
      headStamp: this.#headStamp,
      writers: this.#writers,
      generation: this.#files.reduce((max, { generation }) => Math.max(max, generation), 0),
    }
  }

  /** The last write once more: what was read of it has given way to what came behind it. */
  async #readTail(): Promise<readonly TailEntry[]> {
    const { count } = this.#tail
    if (count === 0) return []
    const entries = Array.from({ length: count }, (_, i) => this.#tail.at(i))
    const payloads = await this.#segments.at(-1)!.readPayloads(entries)
    return entries.map(({ lsn, lacking, keys, atMs }, i) => ({
      lsn,
      payload: payloads[i]!,
      states: this.#states(lsn, lacking),
      keys,
      atMs,
    }))
  }
}

/** The names of the regular files. Whoever puts a symbolic link here gets a refusal. */
async function fileNames(env: Env, directory: string): Promise<ReadonlySet<string>> {
  const entries = await env.disk.list(directory)
  const link = entries.find((entry) => !isExpected(entry))
  if (link !== undefined) {
    throw new StorageError('REJECTED', `${directory}/${link.name} is not a regular file`, {
      place: 'wal',
    })
  }
  return new Set(entries.filter(({ kind }) => kind === 'file').map(({ name }) => name))
}

function isExpected(entry: DiskEntry): boolean {
  return entry.kind === 'file' || entry.kind === 'directory' || isSocket(entry)
}
