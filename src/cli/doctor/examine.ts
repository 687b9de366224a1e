import { nodeEnv } from '../../core/node-env.ts'
import type { Logger } from '../../core/logger.ts'
import { secretsOf } from '../../core/redact.ts'
import { DEFAULT_DATABASES, type Settings } from '../settings/settings.ts'
import { examineCache } from './examine-cache.ts'
import { examineDatabase } from './examine-database.ts'
import { examineWal } from './examine-wal.ts'
import { Findings, type Finding, type FindingPlace } from './finding.ts'
import type { Located } from './located.ts'

/**
 * Looks at every place of a store and at all of them together. It connects and reads; nothing is made,
 * written, locked or brought up to date, so that it can be run beside a running service.
 */
export async function examine(settings: Settings, logger?: Logger): Promise<readonly Finding[]> {
  const env = nodeEnv(logger === undefined ? {} : { logger })
  const secrets = secretsOf(settings)
  const look = async (
    place: FindingPlace,
    work: (found: Findings) => Promise<Located | undefined | void>,
  ): Promise<Seen> => {
    const found = new Findings(place, secrets)
    try {
      return { list: found.list, located: (await work(found)) ?? undefined }
    } catch (error) {
      found.failed(error)
      return { list: found.list, located: undefined }
    }
  }
  const { primary = DEFAULT_DATABASES.primary, backup = DEFAULT_DATABASES.backup } = settings
  const { cache, wal } = settings
  const seen = await Promise.all([
    look('primary', (found) => examineDatabase(env, 'primary', primary, found)),
    look('backup', (found) => examineDatabase(env, 'backup', backup, found)),
    look('wal', (found) => examineWal(env, wal, found)),
    ...(cache === undefined ? [] : [look('cache', (found) => examineCache(env, cache, found))]),
  ])
  const store = new Findings('store', secrets)
  const located = seen.flatMap((one) => (one.located === undefined ? [] : [one.located]))
  // Of a place that did not answer nobody knows where it is.
  const isWhole = seen.every(({ list }) => list.every(({ level }) => level !== 'error'))
  examineTogether(located, isWhole, settings, store)
  return [...seen.flatMap(({ list }) => list), ...store.list]
}

interface Seen {
  readonly list: readonly Finding[]
  readonly located: Located | undefined
}

/** What the places have in common they lose together. */
function examineTogether(
  located: readonly Located[],
  isWhole: boolean,
  { encryption }: Settings,
  found: Findings,
): void {
  const databases = located.map(({ database }) => database)
  if (new Set(databases).size < databases.length) {
    found.fail('same-database', 'two places are the same database', 'give each one of its own')
  }
  const servers = located.flatMap(({ server }) => (server === undefined ? [] : [server]))
  if (new Set(servers).size < servers.length) {
    found.warn(
      'one-server',
      'two places are kept by one server: they are lost together',
      'move one of them to another server',
    )
  }
  const durable = located.filter(({ isDurable }) => isDurable)
  const disks = new Set(durable.map(({ disk }) => disk))
  if (isWhole && durable.length > 1 && disks.size === 1 && !disks.has(undefined)) {
    found.warn(
      'one-disk',
      'everything is on one disk of this machine: with it all messages are lost',
      'put primary or backup on another machine (PostgreSQL, Redis, S3), or on another disk',
    )
  }
  if (encryption === undefined) {
    found.note(
      'plain-text',
      'messages are stored as plain text',
      'EVERTHREAD_ENCRYPTION_KEYS encrypts what backup and log hold',
    )
  }
}
