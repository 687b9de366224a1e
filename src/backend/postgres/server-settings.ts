import { StorageError } from '../../core/errors.ts'
import type { Durability } from '../replica-backend.ts'
import type { ResolvedPostgresOptions } from './options.ts'
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
 * Makes a new connection fit for use and reads its settings back. A pool of the application's own
 * is only read.
 */
export async function prepareSession(
  session: Session,
  options: ResolvedPostgresOptions,
): Promise<ServerSettings> {
  if (options.pool === undefined) await session.query({ text: setup(options) })
  const { rows } = await session.query({ text: READ_BACK })
  const row = rows[0] as Record<string, string>
  checkServer(row)
  if (row['standby'] === 'on') {
    // Reads would be answered from the past. The next connection may reach the primary.
    session.broken = true
    throw new StorageError('UNAVAILABLE', 'PostgreSQL: the server is a standby, in recovery')
  }
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

const READ_BACK = `SELECT current_setting('server_version') AS version,
  current_setting('server_version_num') AS number,
  current_setting('server_encoding') AS encoding,
  current_setting('max_identifier_length') AS name_bytes,
  CASE WHEN pg_is_in_recovery() THEN 'on' ELSE 'off' END AS standby,
  current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('full_page_writes') AS full_page_writes,
  current_setting('statement_timeout') AS statement_timeout,
  current_setting('transaction_read_only') AS read_only`

/**
 * In one round trip. A commit that does not wait for the disk is switched off for this session.
 * Sequential scans, bitmaps and sorts are a last resort: a plan that was made while the tables were
 * small is kept, and every statement but those over all rows has an index in its order. (Without
 * this a page of a table that was never analysed reads and sorts the whole conversation.) Statements are planned once a connection:
 * left to itself the server plans each of them again every time, because it takes arrays that it
 * knows the length of for cheaper. The server notices a closed socket within a
 * second where it can (not before version 14, not on every system) and gives up its statement.
 */
function setup({ statementTimeoutMs }: ResolvedPostgresOptions): string {
  return `SET statement_timeout = ${statementTimeoutMs};
    SET lock_timeout = ${statementTimeoutMs};
    SET idle_in_transaction_session_timeout = ${statementTimeoutMs};
    SET default_transaction_isolation = 'read committed';
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET enable_sort = off;
    SET plan_cache_mode = force_generic_plan;
    SET jit = off;
    SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') = 'off';
    DO $$ BEGIN
      PERFORM set_config('client_connection_check_interval', '1000', false);
    EXCEPTION WHEN OTHERS THEN NULL; END $$`
}
