/* What `bench/mget.ts` measures, each opened in a process of its own. */
import pg from 'pg'
import type { Subject } from '../support/measure.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'
import type { Target } from './saves.ts'

const COUNT = 500
const KEYS: readonly string[] = Array.from({ length: COUNT }, (_, i) => `settings/${i}`)
const VALUE = { theme: 'dark', language: 'en', sizes: [1, 2, 3], text: 'x'.repeat(200) }

/** One query with all keys, and a parse of each value. */
export async function raw({ url }: Target): Promise<Subject> {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  pool.on('error', () => {})
  await pool.query('CREATE TABLE IF NOT EXISTS raw_values (key text PRIMARY KEY, value text)')
  await pool.query(
    `INSERT INTO raw_values SELECT key, $2 FROM unnest($1::text[]) AS key
     ON CONFLICT DO NOTHING`,
    [KEYS, JSON.stringify(VALUE)],
  )
  return {
    name: 'one raw query and JSON.parse',
    promise: '',
    run: async () => {
      const { rows } = await pool.query<{ key: string; value: string }>({
        name: 'values',
        text: 'SELECT key, value FROM raw_values WHERE key = ANY ($1)',
        values: [KEYS],
      })
      return Object.fromEntries(rows.map(({ key, value }) => [key, JSON.parse(value) as unknown]))
    },
    close: () => pool.end(),
  }
}

/** `mget` of all keys. */
export async function many({ url, directory }: Target): Promise<Subject> {
  const { store, ...history } = await filled(url, directory, 'many')
  return { name: 'mget', promise: '', run: () => store.mget(KEYS), close: history.close }
}

/** `get` of each key, all at once. */
export async function single({ url, directory }: Target): Promise<Subject> {
  const { store, ...history } = await filled(url, directory, 'single')
  return {
    name: '500 times get',
    promise: '',
    run: () => Promise.all(KEYS.map((key) => store.get(key))),
    close: history.close,
  }
}

async function filled(
  url: string,
  directory: string,
  name: string,
): Promise<{
  readonly store: Awaited<ReturnType<typeof storeOnPostgres>>['store']
  readonly close: () => Promise<void>
}> {
  const history = await storeOnPostgres(url, directory, name)
  await history.store.mset(KEYS.map((key) => [key, VALUE] as const))
  await history.flush()
  return { store: history.store, close: () => history.close() }
}
