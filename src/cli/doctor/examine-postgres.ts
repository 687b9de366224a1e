import { PostgresDriver } from '../../backend/postgres/connection/driver.ts'
import {
  resolvePostgresOptions,
  type PostgresOptions,
  type ResolvedPostgresOptions,
} from '../../backend/postgres/connection/options.ts'
import { durabilityOf } from '../../backend/postgres/connection/server-settings.ts'
import type { Session } from '../../backend/postgres/connection/session.ts'
import { tablesOf, type Tables } from '../../backend/postgres/rows/tables.ts'
import {
  indexStatements,
  MIGRATION_TITLES,
  schemaVersion,
} from '../../backend/postgres/upkeep/migrations.ts'
import { checkTables } from '../../backend/postgres/upkeep/table-checks.ts'
import type { Env } from '../../core/env.ts'
import { examineClock, examineTls } from './examine-hosts.ts'
import { readProgress } from '../../backend/postgres/search/index-tables.ts'
import { examineSearch } from './examine-search.ts'
import { examineSchema } from './examine-schema.ts'
import type { Findings } from './finding.ts'
import type { Located } from './located.ts'

/** The last day of each major version, by the project's own plan. After it errors stay as they are. */
const LAST_DAYS: Readonly<Record<number, string>> = {
  13: '2025-11-13',
  14: '2026-11-12',
  15: '2027-11-11',
  16: '2028-11-09',
  17: '2029-11-08',
  18: '2030-11-14',
}

/** A PostgreSQL database. Reads only: no table is made or brought up to date. */
export async function examinePostgres(
  env: Env,
  config: PostgresOptions,
  found: Findings,
): Promise<Located> {
  const options = resolvePostgresOptions(config)
  const { host, ssl } = options.connection
  if (options.pool.given === undefined) {
    const how = 'add ?sslmode=verify-full to the URL, and turn TLS on at the server (ssl = on)'
    examineTls([host], ssl, how, found)
  }
  const driver = await PostgresDriver.open(env, options)
  try {
    const limit = { timeoutMs: options.connectTimeoutMs }
    return await driver.use('doctor', limit, (session) =>
      examineSession(session, driver, options, found),
    )
  } finally {
    await driver.close()
  }
}

async function examineSession(
  session: Session,
  driver: PostgresDriver,
  options: ResolvedPostgresOptions,
  found: Findings,
): Promise<Located> {
  const { host, port, database } = options.connection
  const settings = driver.settings!
  found.ok('connected', `PostgreSQL ${settings.version}, ${database} at ${host}:${port}`)
  examineVersion(settings.version, found)
  const { durable, reasons } = durabilityOf(settings)
  if (durable) found.ok('durable', reasons.join(', '))
  else {
    found.warn(
      'not-durable',
      reasons.join(', '),
      'set fsync, synchronous_commit and full_page_writes to on: postgresql.conf, ALTER DATABASE, ALTER ROLE',
    )
  }
  if (settings.readOnly) {
    found.fail(
      'read-only',
      'transactions are read-only here: default_transaction_read_only',
      'turn it off for this role and database',
    )
  }
  await examineClock(async () => {
    const { rows } = await session.query({ text: CLOCK })
    return Number(rows[0]!['now'])
  }, found)
  const tables = tablesOf(options.schema, options.tablePrefix)
  await examineTables(session, tables, found)
  const { rows } = await session.query({ text: SERVER })
  const server = `PostgreSQL ${String(rows[0]!['server'])}`
  const { schema, prefix } = tables
  return {
    disk: undefined,
    server,
    database: `${server} ${String(rows[0]!['database'])} ${schema}.${prefix}`,
    isDurable: durable,
  }
}

const CLOCK = 'SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp()) * 1000 AS now'
const SERVER = `SELECT pg_catalog.current_database() AS database, pg_catalog.concat_ws(' ',
  pg_catalog.pg_postmaster_start_time(), pg_catalog.current_setting('port')) AS server`

function examineVersion(version: string, found: Findings): void {
  const last = LAST_DAYS[Number.parseInt(version, 10)]
  if (last === undefined || Date.now() < Date.parse(last)) return
  found.warn(
    'too-old',
    `PostgreSQL ${version} gets no fixes any more, since ${last}`,
    'upgrade the server',
  )
}

async function examineTables(session: Session, tables: Tables, found: Findings): Promise<void> {
  const version = await schemaVersion(session, tables)
  const isCurrent = examineSchema({ version, migrations: MIGRATION_TITLES }, found)
  if (version === 0) await examineCreateRight(session, tables, found)
  if (!isCurrent) return
  await checkTables(session, tables)
  examineSearch(await readProgress(session, tables), found)
  const statements = indexStatements(tables)
  const { rows } = await session.query({
    text: VALID_INDEXES,
    values: [tables.schema, statements.map(({ name }) => name)],
  })
  const valid = new Map(rows.map((row) => [row['name'], row['valid'] === true]))
  for (const { name, sql } of statements) {
    if (valid.get(name) === true) continue
    const isThere = valid.has(name)
    found.warn(
      'not-indexed',
      `the index ${name} is ${isThere ? 'not valid' : 'missing'}: reads go over whole tables`,
      isThere ? `REINDEX INDEX CONCURRENTLY "${tables.schema}"."${name}"` : sql,
    )
  }
  if (statements.every(({ name }) => valid.get(name) === true)) {
    found.ok('indexed', `all ${statements.length} indexes are there`)
  }
}

const VALID_INDEXES = `SELECT c.relname AS name, x.indisvalid AS valid
  FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = ANY ($2::text[])`

/** The tables are made by whoever opens the store first. */
async function examineCreateRight(
  session: Session,
  { schema }: Tables,
  found: Findings,
): Promise<void> {
  const { rows } = await session.query({
    text: `SELECT CASE WHEN n.oid IS NULL
        THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
        ELSE pg_catalog.has_schema_privilege(n.oid, 'CREATE') END AS may,
      current_user AS role
      FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1`,
    values: [schema],
  })
  const { may, role } = rows[0]!
  if (may === true) return
  found.fail(
    'unusable',
    `the role ${String(role)} may not make tables in the schema ${schema}`,
    `GRANT CREATE ON SCHEMA ${schema} TO "${String(role)}"`,
  )
}
