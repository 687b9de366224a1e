import pg from 'pg'
import type {
  PgClient,
  PgPool,
  PgStatement,
} from '../../src/backend/postgres/connection/pg-types.ts'

/** A pool of the application's own that keeps the statements which went through it. */
export interface RecordingPool {
  readonly pool: PgPool
  readonly statements: PgStatement[]
  /** Statements that have not been answered. */
  running(): number
  close(): Promise<void>
}

export function recordingPool(url: string, max = 5): RecordingPool {
  const real = new pg.Pool({ connectionString: url, max })
  const statements: PgStatement[] = []
  let running = 0
  const wrapped = new WeakSet<object>()
  const pool = new Proxy(real as unknown as PgPool, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name !== 'connect') return typeof value === 'function' ? value.bind(target) : value
      return async (): Promise<PgClient> => {
        const client = await target.connect()
        if (!wrapped.has(client)) {
          wrapped.add(client)
          const query = client.query.bind(client)
          client.query = (statement, answer) => {
            statements.push(statement)
            running++
            query(statement, (error, result) => {
              running--
              answer(error, result)
            })
          }
        }
        return client
      }
    },
  })
  return { pool, statements, running: () => running, close: () => real.end() }
}
