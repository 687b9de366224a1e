import type { ResolvedPostgresOptions } from './options.ts'

/** Nothing but the server's own functions and operators, whatever others have made in `public`. */
const SEARCH_PATH = 'pg_catalog, pg_temp'

/**
 * What our statements need of a session.
 *
 * Sequential scans, bitmaps and sorts are a last resort: a plan that was made while the tables were
 * small is kept, and every statement but those over all rows has an index in its order. (Without
 * this a page of a table that was never analysed reads and sorts the whole conversation.) Statements are
 * planned once a connection: left to itself the server plans each of them again every time, because it takes
 * arrays that it knows the length of for cheaper. With `row_security` off a row is never left out in silence.
 */
function settingsOf({
  statementTimeoutMs,
}: ResolvedPostgresOptions): [name: string, value: string][] {
  const limitMs = String(statementTimeoutMs)
  return [
    ['search_path', SEARCH_PATH],
    ['client_encoding', 'UTF8'],
    ['array_nulls', 'on'],
    ['row_security', 'off'],
    ['default_transaction_isolation', 'read committed'],
    ['statement_timeout', limitMs],
    ['lock_timeout', limitMs],
    ['idle_in_transaction_session_timeout', limitMs],
    ['enable_seqscan', 'off'],
    ['enable_bitmapscan', 'off'],
    ['enable_sort', 'off'],
    ['plan_cache_mode', 'force_generic_plan'],
    ['jit', 'off'],
  ]
}

/** For the startup parameter `options` of a connection of our own: they are its defaults from then on. */
export function startupOptions(options: ResolvedPostgresOptions): string {
  // A backslash keeps a space within its value.
  return settingsOf(options)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
    .join(' ')
}

/**
 * SQL: the same for the rest of a transaction and nothing else, where a session is shared with others. A
 * commit that does not wait for the disk is switched off. Answers whether the server is a standby: the
 * one behind a pooler may change while the connection stays.
 */
export function localSettings(options: ResolvedPostgresOptions): string {
  const columns = settingsOf(options).map(
    ([name, value]) => `pg_catalog.set_config('${name}', '${value}', true)`,
  )
  return `SELECT ${columns.join(', ')},
    CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'off'
      THEN pg_catalog.set_config('synchronous_commit', 'on', true) END,
    pg_catalog.pg_is_in_recovery() AS standby`
}

/**
 * What stays set in a session of our own and depends on the server: a commit that does not wait for the disk
 * is switched off, and a closed socket is noticed within a second where that can be (not before version
 * 14, not on every system), so that the server gives up its statement.
 */
export const OWN_SESSION = `SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
    WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
  DO $$ BEGIN
    PERFORM pg_catalog.set_config('client_connection_check_interval', '1000', false);
  EXCEPTION WHEN OTHERS THEN NULL; END $$`

/** What tells how a session can be used. */
export const LOOK: string = `SELECT pg_catalog.pg_backend_pid() AS pid,
  pg_catalog.current_setting('search_path') = '${SEARCH_PATH}' AS pinned,
  pg_catalog.current_setting('default_transaction_isolation') = 'read committed'
    AND pg_catalog.current_setting('array_nulls') = 'on'
    AND pg_catalog.current_setting('client_encoding') = 'UTF8' AS plain`
