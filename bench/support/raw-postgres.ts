import pg from 'pg'
import { BODY } from './messages.ts'
import type { Subject } from './measure.ts'

const CONVERSATIONS = 100
/** Rows of one statement, and statements at once, of the batched subject. */
const BATCH_ROWS = 256
const BATCHES = 2

async function table(url: string, name: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  pool.on('error', () => {})
  await pool.query(
    `CREATE TABLE ${name} (id bigserial PRIMARY KEY, conversation text, at timestamptz DEFAULT now(), body text)`,
  )
  await pool.query(`CREATE INDEX ON ${name} (conversation, id)`)
  return pool
}

/** What most applications do: one prepared insert a message, over a pool. */
export async function rawInserts(
  url: string,
  { name = 'raw_messages', conversations = CONVERSATIONS } = {},
): Promise<Subject> {
  const pool = await table(url, name)
  return {
    name: 'raw pg, single inserts, pool of 16',
    promise: 'primary',
    run: (_round, i) =>
      pool.query({
        name: 'insert',
        text: `INSERT INTO ${name} (conversation, body) VALUES ($1, $2)`,
        values: [`c${i % conversations}`, JSON.stringify(BODY)],
      }),
    close: () => pool.end(),
  }
}

interface Waiting {
  readonly conversation: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The least that batching costs: what waits goes into one `unnest` insert. */
export async function rawBatches(url: string, name = 'raw_batches'): Promise<Subject> {
  const pool = await table(url, name)
  const queue: Waiting[] = []
  let running = 0
  const send = async (): Promise<void> => {
    const batch = queue.splice(0, BATCH_ROWS)
    running++
    try {
      await insertBatch(
        pool,
        batch.map(({ conversation }) => conversation),
        name,
      )
      for (const { resolve } of batch) resolve()
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    running--
    if (queue.length > 0) void send()
  }
  return {
    name: 'raw pg, batched inserts',
    promise: 'primary',
    run: (_round, i) =>
      new Promise<void>((resolve, reject) => {
        queue.push({ conversation: `c${i % CONVERSATIONS}`, resolve, reject })
        if (running < BATCHES && queue.length === 1) queueMicrotask(() => void send())
      }),
    close: () => pool.end(),
  }
}

/** One statement with a row for each conversation named. */
export async function insertBatch(
  pool: pg.Pool,
  conversations: readonly string[],
  name = 'raw_batches',
): Promise<void> {
  await pool.query({
    name: `batch_${name}`,
    text: `INSERT INTO ${name} (conversation, body) SELECT * FROM unnest($1::text[], $2::text[])`,
    values: [conversations, conversations.map(() => JSON.stringify(BODY))],
  })
}
