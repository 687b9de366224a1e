import { StorageError } from '../../../core/errors.ts'
import type { Durability } from '../../replica-backend.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import { localSettings, LOOK, OWN_SESSION } from './session-settings.ts'
import type { Session } from './session.ts'

/** Oldest server that is supported, as `server_version_num`. */
const SERVER_VERSION_MIN = 130_000

/** Bytes of a name that the server must tell apart: the longest `tablePrefix` and name are 63. */
const NAME_BYTES_MIN = 63

/** What the server says about itself, read back on each new connection. */
export interface ServerSettings {
  readonly version: string
  readonly fsync: string
  readonly synchronousCommit: string
  readonly fullPageWrites: string
  readonly statementTimeout: string
  /** True where the server, the database or the role may only read; writes then fail. */
  readonly readOnly: boolean
}

/**
 * Finds out how a new connection can be used, and reads its settings back.
 *
 * A session is ours when it took our settings at its start and the process that answers is the one that
 * the connection began with. Any other may be shared: a pooler gives each transaction a session of its
 * choice, and the next client finds there what was left. So nothing is left there: settings go with each
 * transaction, and statements have no name. A pool of the application's own without a pooler is used as it
 * is, unless its sessions would change what is stored or when it counts.
 */
export async function prepareSession(
  session: Session,
  processId: number | null | undefined,
  options: ResolvedPostgresOptions,
): Promise<ServerSettings> {
  const { rows: looks } = await session.query({ text: LOOK })
  const { pid, pinned, plain } = looks[0]!
  const isDirect = processId === pid
  const isOwnPool = options.pool.given === undefined
  const isOurs = isOwnPool && isDirect && pinned === true
  const isAsItIs = isOurs || (!isOwnPool && isDirect && plain === true)
  session.use = { isOurs, local: isAsItIs ? undefined : localSettings(options) }
  if (isOurs) await session.query({ text: OWN_SESSION })
  return await readBack(session)
}

async function readBack(session: Session): Promise<ServerSettings> {
  const { rows } = await session.query({ text: READ_BACK })
  const row = rows[0] as Record<string, string>
  checkServer(row)
  if (row['standby'] === 'on') session.refuseStandby()
  return {
    version: row['version']!,
    fsync: row['fsync']!,
    synchronousCommit: row['synchronous_commit']!,
    fullPageWrites: row['full_page_writes']!,
    statementTimeout: row['statement_timeout']!,
    readOnly: row['read_only'] === 'on',
  }
}

/**
 * Refuses a server that can never keep the promises. In another encoding than UTF8 most of what people
 * write cannot be stored, or is stored as bytes that nobody checked; where names are cut off earlier two of
 * our indexes have the same.
 */
function checkServer(row: Record<string, string>): void {
  const need = (what: string, got: string | undefined): never => {
    throw new StorageError('UNSUPPORTED', `PostgreSQL: ${what}, got ${got}`)
  }
  if (Number(row['number']) < SERVER_VERSION_MIN)
    need('version 13 or newer is needed', row['version'])
  const encoding = row['encoding']
  if (encoding !== 'UTF8') need('the database must be made with encoding UTF8', encoding)
  const nameBytes = row['name_bytes']
  if (Number(nameBytes) < NAME_BYTES_MIN) {
    need(`max_identifier_length must be ${NAME_BYTES_MIN} or more`, nameBytes)
  }
}

/** What these settings promise for an acknowledged write. */
export function durabilityOf(settings: ServerSettings): Durability {
  let known = durabilities.get(settings)
  if (known === undefined) durabilities.set(settings, (known = judge(settings)))
  return known
}

/** Every save asks. */
const durabilities = new WeakMap<ServerSettings, Durability>()

function judge(settings: ServerSettings): Durability {
  const { fsync, synchronousCommit, fullPageWrites } = settings
  const bad: string[] = []
  if (fsync !== 'on') bad.push(`fsync is ${fsync}`)
  if (synchronousCommit === 'off') bad.push('synchronous_commit is off')
  if (fullPageWrites !== 'on') bad.push(`full_page_writes is ${fullPageWrites}`)
  if (bad.length > 0) return { durable: false, reasons: bad }
  return {
    durable: true,
    reasons: [
      'fsync is on',
      `synchronous_commit is ${synchronousCommit}`,
      'full_page_writes is on',
    ],
  }
}

const READ_BACK = `SELECT pg_catalog.current_setting('server_version') AS version,
  pg_catalog.current_setting('server_version_num') AS number,
  pg_catalog.current_setting('server_encoding') AS encoding,
  pg_catalog.current_setting('max_identifier_length') AS name_bytes,
  CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'on' ELSE 'off' END AS standby,
  pg_catalog.current_setting('fsync') AS fsync,
  pg_catalog.current_setting('synchronous_commit') AS synchronous_commit,
  pg_catalog.current_setting('full_page_writes') AS full_page_writes,
  pg_catalog.current_setting('statement_timeout') AS statement_timeout,
  pg_catalog.current_setting('transaction_read_only') AS read_only`
