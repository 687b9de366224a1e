/*
 * What a log knows about itself, in the files "meta-0" and "meta-1", written in turn: the one with
 * the greater generation counts. One line "everthread-wal-meta 1 <CRC-32 of the rest, 8 hex
 * digits>", then JSON. A file is written as "meta.tmp", synced, renamed, and then the directory is
 * synced.
 *
 * It may lag behind the segments, except for two fields. `ceilingMs` is saved before a greater
 * stamp is acknowledged. Entries are removed only after they were saved as acknowledged, so an
 * entry that is neither in a segment nor acknowledged here is damage.
 */
import { join } from 'node:path'
import { crc32 } from '../../core/crc32.ts'
import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { LsnRange } from '../pending-index.ts'
import type { Lsn } from '../wal.ts'
import { corrupt, type Damage } from './corrupt.ts'
import { readWhole } from './read-whole.ts'
import { writeAll } from './spare.ts'

export interface MetaBody {
  readonly writer: string
  /** Writers before this one, oldest first. */
  readonly formerWriters: readonly string[]
  readonly ceilingMs: number
  /**
   * The greatest of the wall clock and the stamps of the entries, when this was saved. Entries that were
   * removed since have no later stamps. Absent in logs of before.
   */
  readonly reachedMs?: number
  /** Greatest LSN given out when this was saved. */
  readonly head: Lsn
  /** Up to here the segments were synced: an invalid frame before is damage, not a torn tail. */
  readonly durableThrough: Lsn
  /** Closed in order: nothing was written after this was saved. */
  readonly clean: boolean
  readonly acknowledged: Readonly<Record<DatabasePlace, readonly LsnRange[]>>
}

export interface Meta extends MetaBody {
  readonly generation: number
}

export const META_NAMES: readonly string[] = ['meta-0', 'meta-1']
export const META_TEMPORARY = 'meta.tmp'

const MAGIC = 'everthread-wal-meta'
const VERSION = 1
const HEAD_PATTERN = /^everthread-wal-meta (\d+) ([0-9a-f]{8})\n/

/** Saves the next generation over the older one of the two files. */
export async function saveMeta(env: Env, directory: string, meta: Meta): Promise<void> {
  const { disk } = env
  const temporary = join(directory, META_TEMPORARY)
  await removeIfThere(env, temporary)
  const file = await disk.open(temporary, 'create')
  try {
    await writeAll(file, encodeMeta(meta), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await env.failpoints.hit('wal.meta.beforeRename')
  await disk.rename(temporary, join(directory, META_NAMES[meta.generation % 2]!))
  await disk.syncDirectory(directory)
}

export interface FoundMeta {
  readonly meta: Meta | undefined
  readonly damage: readonly Damage[]
}

/** The latest meta file that is whole. `names` are the files of the directory. */
export async function findMeta(
  env: Pick<Env, 'disk'>,
  directory: string,
  names: ReadonlySet<string>,
): Promise<FoundMeta> {
  let meta: Meta | undefined
  const damage: Damage[] = []
  for (const name of META_NAMES) {
    if (!names.has(name)) continue
    const path = join(directory, name)
    const found = decodeMeta(await readWhole(env.disk, path), path)
    if (found === undefined) damage.push({ path, offset: 0, reason: 'the checksum is wrong' })
    else if (meta === undefined || found.generation > meta.generation) meta = found
  }
  return { meta, damage }
}

/** The same; rejects when there are meta files and none is whole. */
export async function readMeta(
  env: Pick<Env, 'disk'>,
  directory: string,
  names: ReadonlySet<string>,
): Promise<FoundMeta> {
  const found = await findMeta(env, directory, names)
  if (found.meta === undefined && found.damage.length > 0) throw corrupt(found.damage[0]!)
  return found
}

function encodeMeta(meta: Meta): Buffer {
  const body = Buffer.from(`${JSON.stringify(meta, undefined, 1)}\n`)
  const sum = crc32(body).toString(16).padStart(8, '0')
  return Buffer.concat([Buffer.from(`${MAGIC} ${VERSION} ${sum}\n`), body])
}

function decodeMeta(bytes: Buffer, path: string): Meta | undefined {
  const head = HEAD_PATTERN.exec(bytes.toString('latin1', 0, 64))
  if (head === null) return undefined
  const body = bytes.subarray(head[0].length)
  if (crc32(body) !== Number.parseInt(head[2]!, 16)) return undefined
  if (Number(head[1]) !== VERSION) {
    throw new StorageError('UNSUPPORTED', `${path} has version ${head[1]}, not ${VERSION}`, {
      place: 'wal',
    })
  }
  return JSON.parse(body.toString('utf8')) as Meta
}

async function removeIfThere(env: Env, path: string): Promise<void> {
  try {
    await env.disk.remove(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
