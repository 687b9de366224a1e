import type { Durability } from '../../replica-backend.ts'
import { pairsOf, type RawConnection } from './raw-connection.ts'

/** What a server says about itself, read back on each new connection and every few seconds. */
export interface RedisServerInfo {
  /** As the server wrote it, such as `7.0.15`. Valkey gives the version of Redis it speaks. */
  readonly version: string
  /** Random; new at every start of the server. */
  readonly runId: string
  readonly role: string
  readonly replicas: number
  /** True while it reads its files at its start: what it says of them is not so yet. */
  readonly isLoading: boolean
  /** `unknown` where the server does not tell, as managed ones do. */
  readonly appendOnly: string
  readonly appendFsync: string
  readonly aofLastWriteStatus: string
  /** Bytes; 0 is no limit. */
  readonly maxMemory: number
  readonly maxMemoryPolicy: string
}

/** Reads a server's settings and state. */
export async function readServerInfo(connection: RawConnection): Promise<RedisServerInfo> {
  const [text, settings] = await Promise.all([
    connection.send(['INFO']),
    // Managed servers forbid it; what is not known is not promised.
    connection.send(['CONFIG', 'GET', 'append*']).then(pairsOf, () => new Map<string, string>()),
  ])
  const info = parseInfo(String(text))
  const enabled = info.get('aof_enabled')
  return {
    version: info.get('redis_version') ?? 'unknown',
    runId: info.get('run_id') ?? 'unknown',
    role: info.get('role') ?? 'unknown',
    replicas: Number(info.get('connected_slaves') ?? 0),
    isLoading: info.get('loading') === '1',
    appendOnly: enabled === undefined ? 'unknown' : enabled === '1' ? 'yes' : 'no',
    appendFsync: settings.get('appendfsync') ?? 'unknown',
    aofLastWriteStatus: info.get('aof_last_write_status') ?? 'unknown',
    maxMemory: Number(info.get('maxmemory') ?? 0),
    maxMemoryPolicy: info.get('maxmemory_policy') ?? 'unknown',
  }
}

/** What is kept on a server. Keys of a database never expire; some of a log do. */
export type RedisUse = 'database' | 'log'

/**
 * Why the server may throw away what it holds when it is full, or undefined when it never does. The
 * `volatile-…` policies take only keys that expire.
 */
export function evictionOf(
  { maxMemory, maxMemoryPolicy }: Pick<RedisServerInfo, 'maxMemory' | 'maxMemoryPolicy'>,
  use: RedisUse,
): string | undefined {
  if (maxMemory === 0 || maxMemoryPolicy === 'noeviction') return undefined
  if (use === 'database' && maxMemoryPolicy.startsWith('volatile-')) return undefined
  return `MESSAGES MAY BE EVICTED: maxmemory-policy is ${maxMemoryPolicy} with a maxmemory of ${maxMemory} bytes, must be noeviction`
}

/** What these servers promise for an acknowledged write; `failover`: a replica may take over. */
export function durabilityOf(
  servers: readonly RedisServerInfo[],
  failover: boolean,
  use: RedisUse = 'database',
): Durability {
  const bad = new Set<string>()
  for (const server of servers)
    for (const reason of spoilers(server, failover, use)) bad.add(reason)
  if (servers.length === 0) bad.add('not connected: the settings of the server are unknown')
  if (bad.size > 0) return { durable: false, reasons: [...bad] }
  const policies = new Set(servers.map(({ maxMemoryPolicy }) => maxMemoryPolicy))
  return {
    durable: true,
    reasons: [
      'appendonly is yes',
      'appendfsync is always',
      `maxmemory-policy is ${[...policies].join(', ')}`,
    ],
  }
}

function spoilers(info: RedisServerInfo, failover: boolean, use: RedisUse): string[] {
  const bad: string[] = []
  if (info.appendOnly !== 'yes') {
    bad.push(`appendonly is ${info.appendOnly}: a restart loses what the last snapshot lacks`)
  } else if (info.appendFsync === 'everysec') {
    bad.push('appendfsync is everysec: a crash of the machine may lose about a second')
  } else if (info.appendFsync !== 'always') {
    bad.push(
      `appendfsync is ${info.appendFsync}: a crash of the machine may lose acknowledged writes`,
    )
  }
  if (info.appendOnly === 'yes' && info.aofLastWriteStatus !== 'ok') {
    bad.push(`aof_last_write_status is ${info.aofLastWriteStatus}: the disk does not take writes`)
  }
  const eviction = evictionOf(info, use)
  if (eviction !== undefined) bad.push(eviction)
  if (failover && info.replicas > 0) {
    bad.push('a failover may lose writes that the replica has not received yet')
  }
  return bad
}

/** The fields of an answer to INFO. */
export function parseInfo(text: string): Map<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':') && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}
