import pg from 'pg'
import type { PgStatement } from '../../src/backend/postgres/connection/pg-types.ts'

/** A step of a plan that reads a table. */
export interface TableScan {
  readonly type: string
  readonly table: string
  /** Rows that were read, those that a filter threw away included. */
  readonly rows: number
  /** Pages that were looked at. An index that is gone through shows in nothing else. */
  readonly pages: number
}

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
  readonly Plans?: readonly Plan[]
}

/**
 * Runs a statement as a prepared one and lists how each table was read: with the settings of the
 * engine's own sessions and so the plan that does not depend on its values, with `blocks` also that
 * for the index of blocks, or with those of the server, which sessions of an application's pool have.
 * What it wrote is undone.
 */
export async function explain(
  url: string,
  { text, values = [] }: PgStatement,
  settings: 'engine' | 'blocks' | 'server' = 'engine',
): Promise<TableScan[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query('BEGIN')
    if (settings !== 'server') {
      for (const scan of ['seqscan', 'bitmapscan', 'sort']) {
        await client.query(`SET LOCAL enable_${scan} = off`)
      }
      if (settings === 'blocks') await client.query('SET LOCAL enable_bitmapscan = on')
      await client.query('SET LOCAL plan_cache_mode = force_generic_plan')
    }
    await client.query(`PREPARE p AS ${text}`)
    const literals: string[] = []
    for (const value of values) literals.push(literal(await readable(client, value)))
    const { rows } = await client.query<{ 'QUERY PLAN': readonly { Plan: Plan }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE p(${literals.join(', ')})`,
    )
    return scansOf(rows[0]!['QUERY PLAN'][0]!.Plan)
  } finally {
    await client.end()
  }
}

function scansOf(plan: Plan): TableScan[] {
  const table = plan['Relation Name']
  const loops = plan['Actual Loops']
  const rows = (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * loops
  const pages = plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  const own = table === undefined ? [] : [{ type: plan['Node Type'], table, rows, pages }]
  return [...own, ...(plan.Plans ?? []).flatMap(scansOf)]
}

const ELEMENTS: Readonly<Record<number, string>> = { 20: 'bigint', 25: 'text', 2950: 'uuid' }

/** Arrays in binary format, which name the type of their elements, as the server reads them. */
async function readable(client: pg.Client, value: unknown): Promise<unknown> {
  if (!Buffer.isBuffer(value)) return value
  const text = `SELECT $1::${ELEMENTS[value.readInt32BE(8)]}[]::text AS text`
  const { rows } = await client.query<{ text: string }>({ text, values: [value] })
  return rows[0]!.text
}

type Scalar = string | number | boolean | null

function literal(value: unknown): string {
  if (value === null) return 'NULL'
  if (!Array.isArray(value)) return pg.escapeLiteral(String(value as Scalar))
  const items = (value as Scalar[]).map((item) =>
    item === null ? 'NULL' : `"${String(item).replace(/[\\"]/g, '\\$&')}"`,
  )
  return pg.escapeLiteral(`{${items.join(',')}}`)
}
