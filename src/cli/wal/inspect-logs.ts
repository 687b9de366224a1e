import { basename, dirname, join, resolve } from 'node:path'
import type { DiskEntry } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import { messageOf } from '../../core/errors.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { DEAD_LETTERS_NAME } from '../../wal/file/dead-letters.ts'
import type { Damage } from '../../wal/file/corrupt.ts'
import { LsnRanges } from '../../wal/file/lsn-ranges.ts'
import { findMeta, type Meta } from '../../wal/file/meta.ts'
import { isLog, ownerState, type OwnerState } from '../../wal/file/owner.ts'
import { scanFrames } from '../../wal/file/scan.ts'
import {
  DEAD_LETTERS_MAGIC,
  decodeHeader,
  SEGMENT_HEADER_BYTES,
} from '../../wal/file/segment-header.ts'
import { scanSegment, segmentFiles, type SegmentFile } from '../../wal/file/segment-scan.ts'

export interface SegmentInspection {
  readonly name: string
  readonly bytes: number
  readonly entries: number
  /** The file ends in a write that was cut short and never acknowledged: that is in order. */
  readonly torn: boolean
}

/** What the log of one process has on disk. */
export interface LogInspection {
  readonly path: string
  /** `alive`, perhaps `unknown`: it is being written to, so its end may be in the middle of a write. */
  readonly owner: OwnerState
  readonly writer?: string
  /** It was closed in order. */
  readonly clean: boolean
  readonly segments: readonly SegmentInspection[]
  readonly entries: number
  /** Entries that each place lacks, by the acknowledgements that are on disk: at most these. */
  readonly pending: Readonly<Record<DatabasePlace, number>>
  /** Entries that a place refused for good. */
  readonly deadLetters: number
  readonly damage: readonly Damage[]
}

type ReadingEnv = Pick<Env, 'disk' | 'process' | 'now'>

/**
 * Looks into a directory of logs, or into one log. Nothing is locked, recovered or changed.
 *
 * @throws an error with code `ENOENT` when there is no such directory.
 */
export async function inspectLogs(env: Env, directory: string): Promise<readonly LogInspection[]> {
  const path = resolve(directory)
  const itself = await entryOf(env, path)
  const entries = itself === undefined ? await env.disk.list(path) : [itself]
  const parent = itself === undefined ? path : dirname(path)
  const logs: LogInspection[] = []
  for (const entry of entries.filter(isLog)) logs.push(await inspectLog(env, parent, entry))
  return logs
}

/** The directory as its parent lists it, if its name is that of a log. */
async function entryOf(env: ReadingEnv, path: string): Promise<DiskEntry | undefined> {
  const entry: DiskEntry = { name: basename(path), kind: 'directory', modifiedMs: 0 }
  if (!isLog(entry)) return undefined
  return (await env.disk.list(dirname(path))).find(({ name }) => name === entry.name)
}

async function inspectLog(env: Env, parent: string, entry: DiskEntry): Promise<LogInspection> {
  const path = join(parent, entry.name)
  const names = new Set((await env.disk.list(path)).map(({ name }) => name))
  const found = await findMeta(env, path, names)
  const log = new LogReader(env, path, found.meta)
  await log.read(segmentFiles(names))
  const damage = [...found.damage, ...log.damage]
  return {
    path,
    owner: await ownerState(env, parent, entry),
    ...(found.meta !== undefined && { writer: found.meta.writer }),
    clean: found.meta?.clean ?? false,
    segments: log.segments,
    entries: log.segments.reduce((sum, { entries }) => sum + entries, 0),
    pending: log.pending,
    deadLetters: names.has(DEAD_LETTERS_NAME) ? await countDeadLetters(env, path) : 0,
    damage,
  }
}

class LogReader {
  readonly segments: SegmentInspection[] = []
  readonly damage: Damage[] = []
  readonly pending: Record<DatabasePlace, number> = { primary: 0, backup: 0 }
  readonly #env: ReadingEnv
  readonly #path: string
  readonly #meta: Meta | undefined
  readonly #acknowledged: Readonly<Record<DatabasePlace, LsnRanges>>

  constructor(env: ReadingEnv, path: string, meta: Meta | undefined) {
    this.#env = env
    this.#path = path
    this.#meta = meta
    this.#acknowledged = {
      primary: new LsnRanges(meta?.acknowledged.primary ?? []),
      backup: new LsnRanges(meta?.acknowledged.backup ?? []),
    }
  }

  async read(files: readonly SegmentFile[]): Promise<void> {
    for (const [i, file] of files.entries()) {
      try {
        await this.#scan(file, files[i + 1])
      } catch (error) {
        const path = join(this.#path, file.name)
        // A segment that its owner has let go meanwhile is no damage.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        this.damage.push({ path, offset: 0, reason: messageOf(error) })
      }
    }
  }

  async #scan(file: SegmentFile, following: SegmentFile | undefined): Promise<void> {
    let entries = 0
    const scanned = await scanSegment(
      this.#env,
      this.#path,
      file,
      {
        durableThrough: this.#meta?.durableThrough ?? 0,
        ...(following !== undefined && { until: following.firstLsn }),
      },
      ({ lsn, lacking }) => {
        entries++
        // The same bits as in `recovery.ts`: what was sent to a place itself is not lacking there.
        if ((lacking & 1) !== 0 && !this.#acknowledged.primary.has(lsn)) this.pending.primary++
        if ((lacking & 2) !== 0 && !this.#acknowledged.backup.has(lsn)) this.pending.backup++
      },
    )
    const { size, torn, damage } = scanned
    this.segments.push({ name: file.name, bytes: size, entries, torn })
    if (damage !== undefined) this.damage.push(damage)
  }
}

async function countDeadLetters({ disk }: ReadingEnv, directory: string): Promise<number> {
  const path = join(directory, DEAD_LETTERS_NAME)
  const file = await disk.open(path, 'open')
  try {
    const head = Buffer.alloc(SEGMENT_HEADER_BYTES)
    await file.read(head, 0)
    const header = decodeHeader(head, DEAD_LETTERS_MAGIC, path)
    if (header === undefined) return 0
    let count = 0
    const range = { from: SEGMENT_HEADER_BYTES, size: await file.size(), salt: header.salt }
    await scanFrames(file, range, () => ++count > 0)
    return count
  } finally {
    await file.close()
  }
}
