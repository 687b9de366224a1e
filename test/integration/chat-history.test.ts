// Goal: the chat layer keeps its contract on real engines, with every strategy.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { openChatHistory, type DatabaseConfig } from '../../src/index.ts'
import { chatHistoryConformance } from '../../src/testing/chat-history-conformance.ts'
import { describePostgres, freshSchema } from '../support/postgres-backend.ts'

let scratch = ''
let count = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'everthread-chat-'))
})
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true })
})

function sqlite(name: string): DatabaseConfig {
  return { type: 'sqlite', path: join(scratch, `${name}-${count}.db`) }
}

for (const write of ['idempotent', 'wal-first', 'dual-write'] as const) {
  chatHistoryConformance({
    name: `SQLite, SQLite and a log on disk, ${write}`,
    open: async () => {
      count++
      return await openChatHistory({
        primary: sqlite('primary'),
        backup: sqlite('backup'),
        wal: `file:${join(scratch, `wal-${count}`)}`,
        write,
      })
    },
  })
}

describePostgres('on PostgreSQL', () => {
  for (const write of ['idempotent', 'wal-first', 'dual-write'] as const) {
    for (const read of ['primary-first', 'failover'] as const) {
      chatHistoryConformance({
        name: `PostgreSQL, SQLite and a log on disk, ${write}, ${read}`,
        open: async () => {
          count++
          return await openChatHistory({
            primary: { type: 'postgresql', ...freshSchema() },
            backup: sqlite('backup'),
            wal: `file:${join(scratch, `wal-${count}`)}`,
            write,
            read,
          })
        },
      })
    }
  }
})
