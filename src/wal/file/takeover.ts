import type { Env } from '../../core/env.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { maxStamp, stampMs, type Stamp } from '../../core/stamp.ts'
import { ACKNOWLEDGED, type EntryState } from '../entry-table.ts'
import { PendingIndex } from '../pending-index.ts'
import type { WalOpened } from '../wal.ts'
import { copyLog } from './copy-log.ts'
import { DeadLetters } from './dead-letters.ts'
import { FRAME_HEADER_BYTES, frameBytes, sealFrame } from './frame.ts'
import { CEILING_AHEAD_MS } from './limits.ts'
import type { Claimed, LogDirectory } from './log-directory.ts'
import { OpenLog } from './open-log.ts'
import type { ResolvedFileWalOptions } from './options.ts'
import { recoverLog, type RecoveredLog, type TailEntry } from './recovery.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { Segments } from './segments.ts'

export interface OpenLogRequest {
  readonly directory: LogDirectory
  readonly options: ResolvedFileWalOptions
  readonly writer: string
  readonly onReadable: (place: DatabasePlace) => void
  readonly onLost: () => void
}

/**
 * Opens a log for this process: the first abandoned one becomes its own, the others are copied into
 * it. Without an abandoned one it is new.
 */
export async function openLog(
  env: Env,
  request: OpenLogRequest,
): Promise<{ log: OpenLog; opened: WalOpened }> {
  const { directory } = request
  await directory.make()
  await directory.sweep()
  const claimed = await claimFirst(directory)
  const path = claimed?.path ?? (await directory.create())
  let log: OpenLog
  let recovered: RecoveredLog | undefined
  try {
    recovered = claimed === undefined ? undefined : await recoverLog(env, path, request.writer)
    await directory.tidy(path)
    await directory.show(path)
    log = await start(env, request, path, recovered)
  } catch (error) {
    if (claimed !== undefined) await directory.giveBack(claimed)
    else await directory.discard(path)
    throw error
  }
  const opened = {
    ceilingMs: recovered === undefined ? 0 : reachedMs(env, recovered),
    formerWriters: recovered?.writers ?? [],
    ...(recovered?.headStamp !== undefined && { head: recovered.headStamp }),
  }
  try {
    return { log, opened: await adoptOthers(env, directory, log, opened) }
  } catch (error) {
    await log.close()
    await directory.free(path)
    throw error
  }
}

export interface Adopted {
  readonly ceilingMs: number
  readonly head: Stamp | undefined
}

/**
 * Copies another log's entries into this one and removes it. Undefined when it was taken by another
 * process. Doing it twice is only waste.
 *
 * @throws StorageError `CORRUPT` when it is damaged. After any error it is left as it was.
 */
export async function adoptLog(
  env: Env,
  directory: LogDirectory,
  log: OpenLog,
  name: string,
): Promise<Adopted | undefined> {
  const claimed = await directory.claim(name)
  if (claimed === undefined) return undefined
  try {
    const recovered = await recoverLog(env, claimed.path, 'adopted')
    try {
      await copyLog(env, claimed.path, recovered, log)
    } finally {
      await recovered.letters.close()
    }
    const ceilingMs = reachedMs(env, recovered)
    // Before the log goes: whose stamps these are must not be forgotten.
    await log.takeOver(recovered.writers, ceilingMs)
    await directory.discard(claimed.path)
    return { ceilingMs, head: recovered.headStamp }
  } catch (error) {
    await directory.giveBack(claimed)
    throw error
  }
}

/**
 * Up to where stamps were given out. The ceiling is ahead of that: followed for nothing, it would put what
 * is written now before what others write meanwhile. So it counts only where the clock has been set back.
 */
function reachedMs(env: Env, { meta, headStamp }: RecoveredLog): number {
  if (meta === undefined) return 0
  const knownMs = Math.max(
    meta.reachedMs ?? meta.ceilingMs,
    headStamp === undefined ? 0 : stampMs(headStamp),
  )
  return knownMs <= env.now() ? knownMs : meta.ceilingMs
}

async function claimFirst(directory: LogDirectory): Promise<Claimed | undefined> {
  for (const name of await directory.abandoned()) {
    const claimed = await directory.claim(name)
    if (claimed !== undefined) return claimed
  }
  return undefined
}

async function adoptOthers(
  env: Env,
  directory: LogDirectory,
  log: OpenLog,
  opened: WalOpened,
): Promise<WalOpened> {
  let { ceilingMs, head } = opened
  for (const name of await directory.abandoned()) {
    try {
      const adopted = await adoptLog(env, directory, log, name)
      ceilingMs = Math.max(ceilingMs, adopted?.ceilingMs ?? 0)
      head = maxStamp(head, adopted?.head)
    } catch (error) {
      if (isStorageError(error, 'CORRUPT') || isStorageError(error, 'UNSUPPORTED')) throw error
      // The heartbeat tries again.
      env.logger.warn({ error: messageOf(error), name }, 'a log could not be taken over yet')
    }
  }
  return { ceilingMs, formerWriters: log.formerWriters, ...(head !== undefined && { head }) }
}

/** Starts a segment, writes the last group of the former writer again and saves the meta file. */
async function start(
  env: Env,
  { options, writer, onReadable, onLost }: OpenLogRequest,
  path: string,
  recovered: RecoveredLog | undefined,
): Promise<OpenLog> {
  const salt = Buffer.from(env.randomBytes(4)).readUInt32LE()
  const { segmentBytes, sync } = options
  const letters = recovered?.letters ?? (await DeadLetters.recover(env, path, writer, new Set()))
  const segments = new Segments(
    {
      env,
      directory: path,
      writer,
      salt,
      segmentBytes,
      sync: sync === 'always',
      generation: recovered?.generation ?? 0,
    },
    recovered?.segments ?? [],
  )
  const index = recovered?.index ?? new PendingIndex()
  try {
    await writeTail(segments, index, recovered?.tail ?? [], salt)
    await letters.secure()
    const log = new OpenLog({
      env,
      options,
      path,
      writer,
      formerWriters: recovered?.writers ?? [],
      index,
      segments,
      letters,
      salt,
      metaGeneration: recovered?.meta?.generation ?? 0,
      ceilingMs: recovered?.meta?.ceilingMs ?? 0,
      reachedMs: recovered === undefined ? 0 : reachedMs(env, recovered),
      onReadable,
      onLost,
    })
    await log.meta.save({ ceilingMs: env.now() + CEILING_AHEAD_MS })
    return log
  } catch (error) {
    await segments.letGo()
    await letters.close()
    throw error
  }
}

/**
 * The last write may be in the page cache only, and a sync that failed before may have made the
 * kernel forget it: it counts once it is synced in another file.
 */
async function writeTail(
  segments: Segments,
  index: PendingIndex,
  tail: readonly TailEntry[],
  salt: number,
): Promise<void> {
  const first = tail[0]
  if (first === undefined) {
    await segments.roll(index.head + 1)
    return
  }
  const bytes = tail.map(({ payload }) => frameBytes(payload.byteLength))
  const buffer = Buffer.alloc(bytes.reduce((sum, count) => sum + count, 0))
  let at = 0
  for (const [indexInGroup, { lsn, payload, states }] of tail.entries()) {
    payload.copy(buffer, at + FRAME_HEADER_BYTES)
    const payloadEnd = at + FRAME_HEADER_BYTES + payload.byteLength
    const lacking = lackingOf(states)
    at = sealFrame(buffer, at, payloadEnd, { lsn, indexInGroup, lacking }, salt)
  }
  await segments.roll(first.lsn, { frames: buffer })
  let offset = SEGMENT_HEADER_BYTES
  for (const [i, { lsn, keys, atMs, states }] of tail.entries()) {
    index.add({ lsn, keys, bytes: bytes[i]!, offset, atMs, states })
    offset += bytes[i]!
  }
}

function lackingOf({ primary, backup }: Readonly<Record<DatabasePlace, EntryState>>): number {
  return (primary === ACKNOWLEDGED ? 0 : 1) | (backup === ACKNOWLEDGED ? 0 : 2)
}
