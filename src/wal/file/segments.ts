import { join } from 'node:path'
import type { Env } from '../../core/env.ts'
import type { ThroughOf } from '../../core/erase.ts'
import { messageOf, StorageError } from '../../core/errors.ts'
import type { Lsn, WalEntry } from '../wal.ts'
import { eraseSegment } from './erase-segment.ts'
import { FIRST_SEGMENT_BYTES, READ_BYTES, SEGMENT_GROWTH } from './limits.ts'
import { Segment, type FrameLocation } from './segment.ts'
import { encodeHeader, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC } from './segment-header.ts'
import { createSpare, writeAll, writeAllSynced, type Spare } from './spare.ts'

export interface SegmentsOptions {
  readonly env: Env
  readonly directory: string
  readonly writer: string
  readonly salt: number
  readonly segmentBytes: number
  readonly sync: boolean
  /** Greatest generation that is taken. */
  readonly generation: number
}

/**
 * The segment files of one log: written at the end, removed at the beginning.
 *
 * Invariant: a segment counts from its first LSN up to the first LSN of the next one. So what a
 * failed segment holds beyond is superseded, whatever the disk made of it.
 */
export class Segments {
  readonly #options: SegmentsOptions
  readonly #list: Segment[]
  /** Segments that count for nothing any more and whose files are still to be removed. */
  readonly #doomed: Segment[] = []
  #removing: Promise<void> | undefined
  #active: Segment | undefined
  #generation: number
  #nextBytes: number
  #spares = 0
  #preparing: Promise<Spare | undefined> | undefined
  #syncs = 0

  constructor(options: SegmentsOptions, recovered: readonly Segment[]) {
    this.#options = options
    this.#list = [...recovered]
    this.#generation = options.generation
    this.#nextBytes = Math.min(FIRST_SEGMENT_BYTES, options.segmentBytes)
  }

  get syncs(): number {
    return this.#syncs
  }

  get isWritable(): boolean {
    return this.#active !== undefined
  }

  /** Bytes of the segments that are not written to any more. */
  get sealedBytes(): number {
    let bytes = 0
    for (const segment of this.#doomed) bytes += segment.used
    for (const segment of this.#list) if (segment !== this.#active) bytes += segment.used
    return bytes
  }

  get bytes(): number {
    return this.sealedBytes + (this.#active?.used ?? 0)
  }

  /**
   * Writes frames and syncs them. Returns the offset of the first byte.
   *
   * Fail-stop: after any error nothing is written to that segment again, and no sync is ever
   * retried, since the kernel may have dropped what it could not write. The next call starts a new
   * segment.
   *
   * @throws StorageError `UNAVAILABLE`, effect `none` when no byte was written.
   */
  async commit(bytes: Buffer, firstLsn: Lsn): Promise<number> {
    const { env, sync } = this.#options
    const full =
      this.#active === undefined || this.#active.used + bytes.byteLength > this.#active.size
    if (full) await this.roll(firstLsn, { room: bytes.byteLength })
    const segment = this.#active!
    const offset = segment.used
    try {
      const file = await segment.writable()
      await env.failpoints.hit('wal.beforeWrite')
      const isOneCall = sync && file.writeSynced !== undefined
      await (isOneCall ? writeAllSynced : writeAll)(file, bytes, offset)
      await env.failpoints.hit('wal.afterWrite')
      await env.failpoints.hit('wal.beforeSync')
      if (sync && !isOneCall) await file.sync()
      await env.failpoints.hit('wal.afterSync')
    } catch (error) {
      await this.giveUp()
      throw unavailable(`writing to ${segment.path} failed`, error, 'unknown')
    }
    this.#syncs++
    segment.used += bytes.byteLength
    return offset
  }

  /** False when the segment that was written to has no name any more, or its directory has another one. */
  async isNamed(): Promise<boolean> {
    const active = this.#active
    return active === undefined || (await this.#options.env.disk.exists(active.path))
  }

  /** Nothing is written to the present segment any more: what follows supersedes its end. */
  async giveUp(): Promise<void> {
    const former = this.#active
    this.#active = undefined
    if (former !== undefined) await this.#quietly(async () => await former.stopWriting())
  }

  /**
   * Starts a new segment whose first entry will be `firstLsn`, with room for `room` bytes. Header
   * and `frames` are on disk before the file gets its name, and the name before this resolves: a
   * segment that supersedes acknowledged frames always has them itself.
   */
  async roll(firstLsn: Lsn, { room = 0, frames }: RollOptions = {}): Promise<void> {
    await this.giveUp()
    // What failed attempts left would fill the disk that they failed on.
    const stuck = this.#doomed.length > 0 && this.#removing === undefined
    if (stuck) await this.#quietly(async () => await this.#removeDoomed())
    try {
      const bytes = Math.max(room, frames?.byteLength ?? 0)
      const spare = await this.#takeSpare(SEGMENT_HEADER_BYTES + bytes)
      this.#active = await this.#name(spare, firstLsn, frames)
    } catch (error) {
      throw unavailable('starting a segment failed', error, 'none')
    }
    this.#nextBytes = Math.min(this.#nextBytes * SEGMENT_GROWTH, this.#options.segmentBytes)
    this.prepare()
    if (this.#doomed.length > 0) void this.#quietly(async () => await this.#removeDoomed())
  }

  /** Starts a new segment unless the present one is empty. */
  async seal(nextLsn: Lsn): Promise<void> {
    if (this.#active === undefined || this.#active.firstLsn < nextLsn) await this.roll(nextLsn)
  }

  /**
   * Writes each sealed segment anew that has payloads to go, in its place, and removes the old file.
   * Entries keep their LSNs and offsets. Nothing may be removed by `removeThrough` meanwhile.
   * Returns how many payloads went; after an error some segments are done and some are not.
   */
  async erase(throughOf: ThroughOf): Promise<number> {
    let count = 0
    // All but the last one: it is being written to, or has just failed.
    for (const segment of this.#list.slice(0, -1)) {
      count += await this.#eraseOne(segment, throughOf)
    }
    await this.#removeDoomed()
    return count
  }

  /** Gets the next segment ready, so that starting it need not wait for zeros to be written. */
  prepare(): void {
    this.#preparing ??= this.#create(this.#nextBytes).catch((error: unknown) => {
      // Starting the next segment tries once more and then reports it.
      this.#options.env.logger.warn({ error: messageOf(error) }, 'no segment could be prepared')
      return undefined
    })
  }

  /** The segments that are needed for these entries stay until the promise settles. */
  async load(locations: readonly FrameLocation[]): Promise<readonly WalEntry[]> {
    const runs = this.#runsOf(locations)
    for (const { segment } of runs) segment.pin()
    const entries: WalEntry[] = []
    let failure: unknown
    for (const { segment, locations: run } of runs) {
      try {
        if (failure === undefined) entries.push(...(await segment.read(run)))
      } catch (error) {
        failure = error
      } finally {
        await segment.unpin()
      }
    }
    if (failure instanceof StorageError) throw failure
    if (failure !== undefined) throw unavailable('reading the log failed', failure, 'none')
    return entries
  }

  /** True when the entry lies in a segment that is still here. */
  has(lsn: Lsn): boolean {
    return this.#list.length > 0 && lsn >= this.#list[0]!.firstLsn
  }

  /** Files that count for nothing resisted their removal. */
  get hasLeftovers(): boolean {
    return this.#doomed.length > 0
  }

  /** The last LSN that goes with whole segments when all up to `settled` may go; 0 for none. */
  removable(settled: Lsn): Lsn {
    let last = 0
    for (let i = 0; i + 1 < this.#list.length; i++) {
      const end = this.#list[i + 1]!.firstLsn - 1
      if (end > settled || this.#list[i] === this.#active) break
      last = end
    }
    return last
  }

  /** Removes the segments that end at or before this LSN, and those that resisted before. */
  async removeThrough(last: Lsn): Promise<void> {
    while (this.#list.length > 1 && this.#list[1]!.firstLsn - 1 <= last) {
      this.#doomed.push(this.#list.shift()!)
    }
    await this.#removeDoomed()
  }

  /** Lets go of all files; `empty` removes all segments: nobody lacks anything. */
  async close(empty: boolean): Promise<void> {
    const active = this.#active
    if (active !== undefined && !empty) await (await active.writable()).truncate(active.used)
    await this.letGo()
    if (empty) this.#doomed.push(...this.#list.splice(0))
    await this.#removeDoomed()
  }

  /** Lets go of all files as they are. */
  async letGo(): Promise<void> {
    const spare = await this.#preparing
    this.#preparing = undefined
    if (spare !== undefined) await this.#quietly(async () => await this.#discard(spare))
    await this.giveUp()
  }

  /** One run at a time: each removal is synced before the next. */
  async #removeDoomed(): Promise<void> {
    this.#removing ??= this.#removeInOrder().finally(() => (this.#removing = undefined))
    await this.#removing
  }

  async #removeInOrder(): Promise<void> {
    const { env, directory } = this.#options
    while (this.#doomed.length > 0) {
      await this.#doomed[0]!.remove()
      // One by one: a crash that kept a later removal and lost an earlier one would leave a gap.
      await env.disk.syncDirectory(directory)
      this.#doomed.shift()
    }
  }

  async #eraseOne(segment: Segment, throughOf: ThroughOf): Promise<number> {
    const at = this.#list.indexOf(segment)
    const until = this.#list[at + 1]!.firstLsn
    if (until === segment.firstLsn) {
      // Nothing in it counts: a failed write may be all that it has.
      this.#list.splice(at, 1)
      this.#doomed.push(segment)
      return 0
    }
    const erased = eraseSegment(await segment.readAll(), segment.header, until, throughOf)
    if (erased === undefined) return 0
    this.#list[at] = await this.#rewrite(segment, erased.bytes)
    this.#doomed.push(segment)
    return erased.count
  }

  /** The same entries under a greater generation: as soon as it has its name it is the one that counts. */
  async #rewrite(segment: Segment, bytes: Buffer): Promise<Segment> {
    const { env, directory } = this.#options
    const header = { ...segment.header, generation: ++this.#generation }
    const size = bytes.byteLength
    const next = new Segment(env.disk, directory, header, { used: size, size })
    encodeHeader(header).copy(bytes)
    const path = join(directory, `spare-${++this.#spares}.tmp`)
    const file = await env.disk.open(path, 'create')
    let named = false
    try {
      try {
        await writeAll(file, bytes, 0)
        await file.sync()
      } finally {
        await file.close()
      }
      await env.failpoints.hit('wal.erase.beforeRename')
      named = true
      await env.disk.rename(path, next.path)
      await env.disk.syncDirectory(directory)
      await env.failpoints.hit('wal.erase.afterRename')
      return next
    } catch (error) {
      // The old one goes on; this one must be gone before anything in front of it is.
      if (named) this.#doomed.push(next)
      else await this.#quietly(async () => await env.disk.remove(path))
      throw error
    }
  }

  async #name(spare: Spare, firstLsn: Lsn, frames?: Buffer): Promise<Segment> {
    const { env, directory, writer, salt } = this.#options
    const header = {
      magic: SEGMENT_MAGIC,
      salt,
      firstLsn,
      generation: ++this.#generation,
      writer,
    }
    const segment = new Segment(env.disk, directory, header, {
      used: SEGMENT_HEADER_BYTES + (frames?.byteLength ?? 0),
      size: spare.size,
      file: spare.file,
    })
    let named = false
    try {
      await writeAll(spare.file, encodeHeader(header), 0)
      if (frames !== undefined) await writeAll(spare.file, frames, SEGMENT_HEADER_BYTES)
      await spare.file.sync()
      named = true
      await env.disk.rename(spare.path, segment.path)
      await env.failpoints.hit('wal.roll.beforeDirSync')
      await env.disk.syncDirectory(directory)
    } catch (error) {
      await this.#quietly(async () => await segment.stopWriting())
      // As long as it is there the next segment, with the same first LSN, must not go before it.
      if (named) this.#doomed.push(segment)
      await this.#quietly(async () => await env.disk.remove(spare.path))
      throw error
    }
    this.#list.push(segment)
    return segment
  }

  async #takeSpare(bytes: number): Promise<Spare> {
    const spare = await this.#preparing
    this.#preparing = undefined
    if (spare !== undefined && spare.size >= bytes) return spare
    if (spare !== undefined) await this.#discard(spare)
    return await this.#create(Math.max(this.#nextBytes, bytes))
  }

  async #create(size: number): Promise<Spare> {
    const { env, directory } = this.#options
    return await createSpare(env.disk, { directory, number: ++this.#spares, size })
  }

  async #discard(spare: Spare): Promise<void> {
    await spare.file.close()
    await this.#options.env.disk.remove(spare.path)
  }

  /** For what nothing depends on: what was acknowledged was synced before. */
  async #quietly(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      this.#options.env.logger.warn({ error: messageOf(error) }, 'a file of the log was left')
    }
  }

  /** Neighbours in one segment are read at once. */
  #runsOf(locations: readonly FrameLocation[]): Run[] {
    const runs: Run[] = []
    for (const location of locations) {
      const segment = this.#segmentOf(location.lsn)
      const run = runs.at(-1)
      const first = run?.locations[0]!.offset ?? 0
      const joins =
        run?.segment === segment &&
        location.offset >= first &&
        location.offset + location.bytes - first <= READ_BYTES
      if (joins) run.locations.push(location)
      else runs.push({ segment, locations: [location] })
    }
    return runs
  }

  #segmentOf(lsn: Lsn): Segment {
    let low = 0
    let high = this.#list.length - 1
    // The last one that begins at or before the LSN: an earlier one with the same start is void.
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#list[middle]!.firstLsn <= lsn) low = middle
      else high = middle - 1
    }
    return this.#list[low]!
  }
}

export interface RollOptions {
  readonly room?: number
  readonly frames?: Buffer
}

interface Run {
  readonly segment: Segment
  readonly locations: FrameLocation[]
}

function unavailable(what: string, cause: unknown, effect: 'none' | 'unknown'): StorageError {
  return new StorageError('UNAVAILABLE', `${what}: ${messageOf(cause)}`, {
    effect,
    place: 'wal',
    cause,
  })
}
