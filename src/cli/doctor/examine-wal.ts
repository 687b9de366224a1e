import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseWalString } from '../../backend/connection-string.ts'
import type { Env } from '../../core/env.ts'
import { resolveFileWAL } from '../../wal/file-wal-manager.ts'
import { resolveStreamWAL, type RedisStreamWALConfig } from '../../wal/redis-stream-wal-manager.ts'
import { WALManager } from '../../wal/wal-manager.ts'
import { DEFAULT_WAL, type Settings } from '../settings/settings.ts'
import { inspectLogs, type LogInspection } from '../wal/inspect-logs.ts'
import { examineDisk } from './examine-disk.ts'
import { examineRedis } from './examine-redis.ts'
import type { Findings } from './finding.ts'
import type { Located } from './located.ts'

/** The log. None is opened: running processes keep theirs, and those of dead ones wait. */
export async function examineWal(
  env: Env,
  wal: Settings['wal'] = DEFAULT_WAL,
  found: Findings,
): Promise<Located | undefined> {
  if (wal instanceof WALManager) {
    found.note('not-examined', 'it is an object of the configuration, which only it knows')
    return undefined
  }
  const { type, ...config } = flatten(typeof wal === 'string' ? parseWalString(wal, 'wal') : wal)
  switch (type) {
    case 'file':
      return await examineFolder(env, config, found)
    case 'redis-stream': {
      const { connection } = resolveStreamWAL(config as RedisStreamWALConfig)
      return await examineRedis(env, connection, 'log', found)
    }
    default:
      found.warn(
        'not-durable',
        'it is kept in the memory of one process',
        'give --wal file:DIRECTORY or redis-stream://…',
      )
      return undefined
  }
}

/** The fields of a log may stand beside its type, or in a `config`. */
function flatten(wal: object): { readonly type?: unknown } {
  const { config, ...rest } = wal as { readonly config?: object }
  return { ...config, ...rest }
}

async function examineFolder(env: Env, config: object, found: Findings): Promise<Located> {
  const { filePath, maxPendingBytes, sync } = resolveFileWAL(config)
  const folder = resolve(filePath)
  const disk = await examineDisk(folder, maxPendingBytes, found)
  found.ok('connected', `files in ${folder}`)
  if (sync === 'never') {
    found.warn('not-durable', 'sync is never: a crash of the machine loses entries', 'sync: always')
  } else found.ok('durable', 'every append is synchronised with the disk')
  if (existsSync(folder)) {
    for (const log of await inspectLogs(env, folder)) examineLog(log, folder, found)
  }
  return { disk, server: undefined, database: `files ${folder}`, isDurable: sync !== 'never' }
}

function examineLog(log: LogInspection, folder: string, found: Findings): void {
  const { path, owner, pending, deadLetters, damage } = log
  for (const { path: file, offset, reason } of damage) {
    found.fail(
      'damaged',
      `${file} at ${offset}: ${reason}`,
      `everthread wal replay ${folder} --to primary saves what can be read`,
    )
  }
  if (deadLetters > 0) {
    found.warn(
      'dead-letters',
      `${path}: a database refused ${deadLetters} entries for good`,
      `everthread wal dead-letters ${folder} tells why; --resend when the cause is mended`,
    )
  }
  const most = Math.max(pending.primary, pending.backup)
  if (most === 0 || owner === 'alive') return
  found.note(
    'pending',
    `${path}: ${most} entries of a process that has ended wait for a database`,
    'whoever opens the store next applies them',
  )
}
