import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PgPool } from '../../src/backend/postgres/connection/pg-types.ts'
import { everyCall } from '../support/every-postgres-call.ts'
import { describePostgres, postgresUrl } from '../support/postgres-backend.ts'
import { recordingPool } from '../support/recording-pool.ts'

/** Functions whose own parameters are general, or whose arguments we give as literals: others can be closer. */
const FUNCTIONS = [
  ['array_remove', 'text[], text', 'text[]'],
  ['unnest', 'text[]', 'SETOF text'],
  ['unnest', 'uuid[]', 'SETOF uuid'],
  ['unnest', 'bigint[]', 'SETOF bigint'],
  ['unnest', 'integer[]', 'SETOF integer'],
  ['unnest', 'boolean[]', 'SETOF boolean'],
  ['width_bucket', 'uuid, uuid[]', 'integer'],
  ['nextval', 'text', 'bigint'],
  ['hashtextextended', 'text, integer', 'bigint'],
  ['json_build_array', 'text, uuid, uuid, uuid, text, boolean', 'json'],
  ['concat_ws', 'text, text, text, text, text', 'text'],
] as const

const OPERATORS = ['+', '-', '*', '/', '&', '|', '#', '<<', '>>', '||']
const COMPARISONS = ['<', '>', '<=', '>=', '=', '<>']
const TYPES = `bigint, integer, smallint, numeric, double precision, text, varchar, name, uuid, oid, bit,
  boolean, tid, regclass, "char"`

// Goal: what another role has made in a schema on the path never runs as the application's role.
// Method: a role that may create in `public` plants a closer function for each that can have one, and every
// operator of every two types for which PostgreSQL has none itself. All of them fail aloud. Then everything
// is done that the engine can do.
describePostgres('PostgreSQL with traps in the schema public', () => {
  const database = `traps_${randomBytes(6).toString('hex')}`
  const mallory = `mallory_${randomBytes(6).toString('hex')}`
  const url = postgresUrl?.replace(/[^/]*$/, database) ?? ''

  beforeAll(async () => {
    await sql(postgresUrl!, `CREATE DATABASE ${database}`)
    await sql(postgresUrl!, `CREATE ROLE ${mallory} LOGIN`)
    await sql(url, `GRANT CREATE ON SCHEMA public TO ${mallory}`)
    await sql(url.replace('//postgres@', `//${mallory}@`), plant())
    return () => sql(postgresUrl!, `DROP DATABASE ${database} WITH (FORCE)`)
  })

  test('a careless session falls into them', async () => {
    for (const text of [
      `SELECT array_remove(ARRAY['a'::text], 'b'::text)`,
      'SELECT 1::bigint & 1',
    ]) {
      await expect(sql(url, text)).rejects.toThrow('trapped')
    }
  })

  test('a connection of our own does not', async () => {
    const backend = new PostgresBackend({ url })
    onTestFinished(() => backend.disconnect())
    await backend.connect()
    await everyCall(backend)
  })

  test('a pool of the application does not either, and names each function with its schema', async () => {
    const { pool, statements, close } = recordingPool(url)
    onTestFinished(close)
    const backend = new PostgresBackend({ pool: pool as unknown as PgPool, tablePrefix: 'b_' })
    await backend.connect()
    await everyCall(backend)
    await backend.disconnect()
    const called = statements.flatMap(({ text }) => unqualifiedCalls(text))
    expect([...new Set(called)]).toEqual([])
  })
})

function plant(): string {
  const body = `LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'trapped'; END $f$`
  const functions = FUNCTIONS.map(
    ([name, parameters, result]) =>
      `CREATE FUNCTION public.${name}(${parameters}) RETURNS ${result} ${body};`,
  )
  const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ')
  return `${functions.join('\n')}
    DO $do$ DECLARE l regtype; r regtype; op text; BEGIN
      FOREACH l IN ARRAY '{${TYPES.replaceAll('"', '\\"')}}'::regtype[] LOOP
      FOREACH r IN ARRAY '{${TYPES.replaceAll('"', '\\"')}}'::regtype[] LOOP
        EXECUTE format($t$CREATE FUNCTION public.trap(%s, %s) RETURNS text ${body}$t$, l, r);
        EXECUTE format($t$CREATE FUNCTION public.trap_if(%s, %s) RETURNS boolean ${body}$t$, l, r);
        FOREACH op IN ARRAY ARRAY[${list([...OPERATORS, ...COMPARISONS])}] LOOP
          CONTINUE WHEN EXISTS (SELECT FROM pg_operator o
            WHERE o.oprname = op AND o.oprleft = l AND o.oprright = r);
          EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%s)',
            op, l, r, CASE WHEN op IN (${list(COMPARISONS)}) THEN 'trap_if' ELSE 'trap' END);
        END LOOP;
      END LOOP; END LOOP;
    END $do$`
}

/** Words before a bracket that are SQL and no functions, or name columns of a table. */
const WORDS = new Set(
  `all any array as bit brin by cascade case cast check coalesce conflict cross delete distinct do else end except
  exists extract from greatest if in index inner insert into is join key lateral least left limit not null
  nullif on or order over returning row select set then union update using vacuum values when where with and`.split(
    /\s+/,
  ),
)

function unqualifiedCalls(text: string): string[] {
  const plain = text.replaceAll(/'[^']*'|"[^"]*"/g, "''")
  return [...plain.matchAll(/(\w+\s+)?(?<![.\w])([a-z_]\w*)\s*\(/gi)]
    .filter(([, before]) => !/^(as|into|materialized)\s+$/i.test(before ?? ''))
    .filter(({ 2: name, 0: match, index }) => {
      const rest = plain.slice(index + match.length)
      return !WORDS.has(name!.toLowerCase()) && !(name === 'unnest' && hasSeveral(rest))
    })
    .map(([, , name]) => name!)
}

/** `unnest` of several arrays is part of the grammar, and is always PostgreSQL's own. */
function hasSeveral(rest: string): boolean {
  let depth = 0
  for (const character of rest) {
    if ('(['.includes(character)) depth++
    else if (')]'.includes(character)) depth--
    if (depth < 0) return false
    if (depth === 0 && character === ',') return true
  }
  return false
}

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
