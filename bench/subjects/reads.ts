/* What `bench/read.ts` measures, each opened in a process of its own. */
import { join } from 'node:path'
import pg from 'pg'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import type { Subject } from '../support/measure.ts'

export const RAW = 'raw query and JSON.parse'
export const RAW_WHOLE = 'raw query with ids and times'

interface RawRow {
  readonly id?: string
  readonly body: string
  readonly created_at?: Date
}

export interface RawRead {
  readonly url: string
  readonly length: number
  /** With the id and the time of each message, which the store's page has too. */
  readonly whole: boolean
}

export async function raw({ url, length, whole }: RawRead): Promise<Subject> {
  const pool = new pg.Pool({ connectionString: url, max: 16 })
  pool.on('error', () => {})
  const columns = whole ? 'id, body, created_at' : 'body'
  return {
    name: `${whole ? RAW_WHOLE : RAW}, ${length} messages`,
    promise: '',
    run: async () => {
      const { rows } = await pool.query<RawRow>({
        name: 'latest',
        text: `SELECT ${columns} FROM raw_messages WHERE conversation = $1 ORDER BY id DESC LIMIT 50`,
        values: [`c${length}`],
      })
      rows.map(({ id, body, created_at: createdAt }) => {
        const message = JSON.parse(body) as object
        return whole ? { id, ...message, createdAt } : message
      })
    },
    close: () => pool.end(),
  }
}

export interface StoreRead {
  readonly name: string
  readonly length: number
  readonly directory: string
  /** Only what JSON can say. */
  readonly options: ChatHistoryOptions
}

export async function store({ name, length, directory, options }: StoreRead): Promise<Subject> {
  const wal = `file:${join(directory, `${name.replaceAll(/\W/g, '-')}-${length}`)}`
  const history = await openChatHistory({ wal, ...options })
  // Until the primary is known to be complete the cache is passed by.
  const isReady = (): boolean => history.status().trusted && history.status().foreignHints === 0
  while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    name: `${name}, ${length} messages`,
    promise: '',
    run: async () => {
      const { messages } = await history.getHistory(`c${length}`)
      if (messages.length !== 50) throw new Error(`expected 50 messages, got ${messages.length}`)
    },
    close: () => history.close(),
  }
}
