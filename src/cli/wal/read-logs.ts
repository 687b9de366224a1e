import { basename, dirname, join, resolve } from 'node:path'
import type { DiskEntry } from '../../core/disk.ts'
import type { Env } from '../../core/env.ts'
import { parseEnvelope } from '../../core/encryption/envelope.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import type { Operation } from '../../core/operation.ts'
import { checkIds, checkKey, checkStamp } from '../../store/check-arguments.ts'
import type { Lsn } from '../../wal/wal.ts'
import { decodeGroup } from '../../wal/file/codec.ts'
import type { Damage } from '../../wal/file/corrupt.ts'
import { DEAD_LETTERS_NAME, scanLetters, type DeadLetter } from '../../wal/file/dead-letters.ts'
import type { Frame } from '../../wal/file/frame.ts'
import { LsnRanges } from '../../wal/file/lsn-ranges.ts'
import { findMeta } from '../../wal/file/meta.ts'
import { isLog, ownerState, type OwnerState } from '../../wal/file/owner.ts'
import { scanSegment, segmentFiles } from '../../wal/file/segment-scan.ts'

/** One log of a directory, to be read and not to be changed. */
export interface LogOnDisk {
  readonly path: string
  readonly owner: OwnerState
}

export interface EntryOnDisk {
  readonly lsn: Lsn
  readonly operations: readonly Operation[]
}

export interface LetterOnDisk extends DeadLetter {
  readonly operations: readonly Operation[]
}

/** The logs of a directory, or the one that is named. */
export async function logsIn(env: Env, directory: string): Promise<readonly LogOnDisk[]> {
  const path = resolve(directory)
  const own: DiskEntry = { name: basename(path), kind: 'directory', modifiedMs: 0 }
  const parent = isLog(own) ? dirname(path) : path
  const entries = (await env.disk.list(parent)).filter(isLog)
  const logs: LogOnDisk[] = []
  for (const entry of entries) {
    if (isLog(own) && entry.name !== own.name) continue
    const owner = await ownerState(env, parent, entry)
    logs.push({ path: join(parent, entry.name), owner })
  }
  return logs
}

/**
 * Hands over the entries of a log, a segment at a time, and returns what is damaged: what cannot be
 * read is passed by, and what follows it is read.
 */
export async function readEntries(
  env: Env,
  { path }: LogOnDisk,
  onSegment: (entries: readonly EntryOnDisk[]) => Promise<void>,
): Promise<readonly Damage[]> {
  const names = new Set((await env.disk.list(path)).map(({ name }) => name))
  const { meta, damage: metaDamage } = await findMeta(env, path, names)
  const damage = [...metaDamage]
  const files = segmentFiles(names)
  for (const [i, file] of files.entries()) {
    const entries: EntryOnDisk[] = []
    const until = files[i + 1]?.firstLsn
    const options = {
      durableThrough: meta?.durableThrough ?? 0,
      ...(until !== undefined && { until }),
    }
    try {
      const scanned = await scanSegment(env, path, file, options, (frame, buffer, offset) => {
        try {
          entries.push({ lsn: frame.lsn, operations: checkedGroup(buffer, frame) })
        } catch (error) {
          const reason = `entry ${frame.lsn} cannot be decoded: ${messageOf(error)}`
          damage.push({ path: join(path, file.name), offset, reason })
        }
      })
      if (scanned.damage !== undefined) damage.push(scanned.damage)
    } catch (error) {
      // A segment that its owner has let go meanwhile is no damage.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      damage.push({ path: join(path, file.name), offset: 0, reason: messageOf(error) })
    }
    await onSegment(entries)
  }
  return damage
}

/** The dead letters of a log that its places still lack, as far as the disk says; what is damaged is told. */
export async function readLetters(
  env: Env,
  { path }: LogOnDisk,
  onDamage: (damage: Damage) => void,
): Promise<readonly LetterOnDisk[]> {
  const names = new Set((await env.disk.list(path)).map(({ name }) => name))
  if (!names.has(DEAD_LETTERS_NAME)) return []
  const { meta } = await findMeta(env, path, names)
  const acknowledged = {
    primary: new LsnRanges(meta?.acknowledged.primary ?? []),
    backup: new LsnRanges(meta?.acknowledged.backup ?? []),
  }
  // Refused again, an entry has another letter; the last one counts.
  const letters = new Map<string, LetterOnDisk>()
  const name = join(path, DEAD_LETTERS_NAME)
  const file = await env.disk.open(name, 'open')
  try {
    await scanLetters(file, name, ({ place, lsn, atMs, reason, offset }, buffer, range) => {
      if (acknowledged[place].has(lsn)) return
      try {
        const operations = checkedGroup(buffer, range)
        letters.set(`${place} ${lsn}`, { place, lsn, atMs, reason, operations })
      } catch (error) {
        const text = `letter of entry ${lsn} cannot be decoded: ${messageOf(error)}`
        onDamage({ path: name, offset, reason: text })
      }
    })
  } catch (error) {
    if (!isStorageError(error, 'CORRUPT')) throw error
    onDamage({ path: name, offset: 0, reason: error.message })
  } finally {
    await file.close()
  }
  return [...letters.values()]
}

/**
 * Throws for operations that no release writes: a checksum finds accidents only, and a log may come from
 * anywhere. What they would do to a database no later write could mend.
 */
function checkedGroup(
  buffer: Buffer,
  { payloadStart, payloadEnd }: Pick<Frame, 'payloadStart' | 'payloadEnd'>,
): readonly Operation[] {
  const operations = decodeGroup(buffer.subarray(0, payloadEnd), payloadStart)
  for (const operation of operations) {
    checkKey(operation.key)
    checkStamp('stamp', operation.stamp)
    if (operation.kind === 'put') {
      checkIds([operation.id])
      checkStamp('position', operation.position)
    }
    if (!('value' in operation) || parseEnvelope(operation.value) !== undefined) continue
    parseJson(operation.value)
  }
  return operations
}
