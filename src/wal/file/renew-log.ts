import type { Env } from '../../core/env.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { ACKNOWLEDGED, QUARANTINED } from '../entry-table.ts'
import { keysOf, type LsnRange, type PendingIndex } from '../pending-index.ts'
import type { Lsn } from '../wal.ts'
import { encodeGroup, payloadBytesMax } from './codec.ts'
import { DeadLetters } from './dead-letters.ts'
import { CommitGroup } from './commit-group.ts'
import { saveMeta, type MetaBody } from './meta.ts'
import { OpenLog } from './open-log.ts'
import { Segments } from './segments.ts'
import type { OpenLogRequest } from './takeover.ts'

export interface RenewedLog {
  readonly log: OpenLog
  /** How many entries some place lacked that neither memory nor the open files have. */
  readonly lost: number
}

type Found = ReadonlyMap<Lsn, readonly Operation[]>

interface Unsettled {
  readonly salt: number
  readonly first: Lsn
  readonly index: PendingIndex
  readonly found: Found
}

interface Place {
  readonly lsn: Lsn
  readonly bytes: number
  readonly offset: number
}

/**
 * Goes on with a log whose directory is gone, in a new one: what some place lacks is written again, from memory and
 * from the files that are still open. Entries keep their LSNs, so that nobody who knows of one notices. The old log
 * serves reads until the new one is whole; after an error it is as it was.
 */
export async function renewLog(
  env: Env,
  request: OpenLogRequest,
  former: OpenLog,
): Promise<RenewedLog> {
  const { directory, options, writer } = request
  await directory.make()
  const path = await directory.create()
  const { salt, letters: formerLetters, ceilingMs, formerWriters } = former.heritage
  const { segmentBytes } = options
  const sync = options.sync === 'always'
  const segments = new Segments(
    { env, directory: path, writer, salt, segmentBytes, sync, generation: 0 },
    [],
  )
  const letters = await DeadLetters.recover(env, path, writer, new Set())
  const { index } = former
  try {
    await directory.show(path)
    const { found, lost } = await load(former)
    for (const lsn of lost) settle(index, lsn)
    await copyLetters(formerLetters, letters, index, found)
    const first = index.settled + 1
    const begun = { writer, formerWriters, ceilingMs, head: first - 1, clean: false }
    const meta = { ...begun, acknowledged: acknowledgedBefore(index, first) }
    await saveMeta(env, path, { generation: 1, durableThrough: sync ? first - 1 : 0, ...meta })
    await segments.roll(first)
    const places = await writeEntries(segments, { salt, first, index, found })
    const log = new OpenLog({
      ...request,
      ...former.heritage,
      env,
      path,
      index,
      segments,
      letters,
      metaGeneration: 1,
    })
    await log.meta.save({ ceilingMs })
    // At once: whoever reads finds an entry in the old files or in the new ones.
    for (const place of places) index.move(place)
    for (const lsn of index.lsns()) {
      if (found.has(lsn)) continue
      // Done when the files were written. A place that has lost its data since then does not get it from here.
      if (settle(index, lsn)) lost.push(lsn)
      index.drop(lsn)
    }
    return { log, lost: lost.length }
  } catch (error) {
    await segments.letGo()
    await letters.close()
    await directory.discard(path).catch((failure: unknown) => {
      env.logger.debug({ error: messageOf(failure) }, 'a new folder of the log was left')
    })
    throw error
  }
}

/** What some place lacks. `lost` is what the directory took with it: each on its own. */
async function load(former: OpenLog): Promise<{ readonly found: Found; readonly lost: Lsn[] }> {
  const found = new Map<Lsn, readonly Operation[]>()
  const lost: Lsn[] = []
  for (const lsn of former.index.lsns()) {
    if (former.index.isDone(lsn)) continue
    try {
      const [entry] = await former.load([lsn])
      found.set(lsn, entry!.operations)
    } catch (error) {
      if (!isGone(error)) throw error
      lost.push(lsn)
    }
  }
  return { found, lost }
}

/** Nobody is to wait for an entry that is gone. True when some place lacked it. */
function settle(index: PendingIndex, lsn: Lsn): boolean {
  if (index.isDone(lsn)) return false
  for (const place of DATABASE_PLACES) index.acknowledge(place, lsn)
  return true
}

/** Anything else may pass: it is tried again. */
function isGone(error: unknown): boolean {
  if (isStorageError(error, 'NOT_FOUND')) return true
  const cause = isStorageError(error) ? error.cause : error
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
}

async function copyLetters(
  from: DeadLetters,
  to: DeadLetters,
  index: PendingIndex,
  found: Found,
): Promise<void> {
  for (const letter of from.all()) {
    const operations = found.get(letter.lsn)
    if (operations === undefined || index.state(letter.place, letter.lsn) !== QUARANTINED) continue
    const keys = keysOf(operations)
    const payload = Buffer.allocUnsafe(payloadBytesMax(operations, keys))
    await to.add(letter, payload.subarray(0, encodeGroup(payload, 0, operations, keys)))
  }
}

/** What the meta file may say before there are segments. */
function acknowledgedBefore(index: PendingIndex, first: Lsn): MetaBody['acknowledged'] {
  const before = (place: DatabasePlace): readonly LsnRange[] =>
    index
      .acknowledged(place, Number.POSITIVE_INFINITY)
      .filter(([from]) => from < first)
      .map(([from, to]) => [from, Math.min(to, first - 1)])
  return { primary: before('primary'), backup: before('backup') }
}

/**
 * Writes all entries that are not settled, in groups. LSNs have no gaps: where an entry is done, or lost, the
 * shortest of the others stands once more, and counts as done.
 */
async function writeEntries(
  segments: Segments,
  { salt, first, index, found }: Unsettled,
): Promise<readonly Place[]> {
  const places: Place[] = []
  const filler = shortest(index, found)
  if (filler === undefined) return places
  let group = new CommitGroup(first, salt)
  const commit = async (): Promise<void> => {
    if (group.appends.length === 0) return
    const start = await segments.commit(group.bytes, group.firstLsn)
    for (const { lsn, bytes, offset } of group.appends) {
      if (found.has(lsn)) places.push({ lsn, bytes, offset: start + offset })
    }
  }
  for (let lsn = first; lsn <= index.head; lsn++) {
    if (group.isFull()) {
      await commit()
      group = new CommitGroup(lsn, salt)
    }
    const operations = found.get(lsn)
    const keys = keysOf(operations ?? filler)
    const lacking = operations === undefined ? 0 : lackingOf(index, lsn)
    const states = { primary: index.state('primary', lsn), backup: index.state('backup', lsn) }
    const callbacks = { resolve: () => {}, reject: () => {} }
    group.add({ operations: operations ?? filler, keys, ...states, ...callbacks }, lacking)
  }
  await commit()
  return places
}

function shortest(index: PendingIndex, found: Found): readonly Operation[] | undefined {
  let least: Lsn | undefined
  for (const lsn of found.keys()) {
    if (least === undefined || index.bytes(lsn) < index.bytes(least)) least = lsn
  }
  return least === undefined ? undefined : found.get(least)
}

function lackingOf(index: PendingIndex, lsn: Lsn): number {
  const primary = index.state('primary', lsn) === ACKNOWLEDGED ? 0 : 1
  return primary | (index.state('backup', lsn) === ACKNOWLEDGED ? 0 : 2)
}
