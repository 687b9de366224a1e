/* What `bench/save.ts` measures on PostgreSQL, each opened in a process of its own. */
import { join } from 'node:path'
import { PostgresBackend } from '../../src/backend/postgres/index.ts'
import { bareLog } from '../support/bare-log.ts'
import type { Subject } from '../support/measure.ts'
import { appendMaker, BODY } from '../support/messages.ts'
import * as raw from '../support/raw-postgres.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'

export const CONVERSATIONS = 100
export const ENGINE = 'PostgreSQL engine alone'
export const LEAST = 'raw pg, batched inserts, and a bare log'
const PROMISES = {
  idempotent: 'primary + wal',
  'wal-first': 'wal',
  'dual-write': 'primary + backup',
} as const

export type Write = keyof typeof PROMISES

/** Where the subjects save to. */
export interface Target {
  readonly url: string
  readonly directory: string
  /** Default: 100. */
  readonly conversations?: number
}

export async function rawInserts({ url, conversations = CONVERSATIONS }: Target): Promise<Subject> {
  return await raw.rawInserts(url, { name: `raw_messages_${conversations}`, conversations })
}

export async function rawBatches({ url }: Target): Promise<Subject> {
  return await raw.rawBatches(url)
}

export async function everthread({
  url,
  directory,
  write,
  conversations = CONVERSATIONS,
}: Target & { readonly write: Write }): Promise<Subject> {
  const history = await storeOnPostgres(url, directory, write, { write })
  return {
    name: `everthread ${write}`,
    promise: PROMISES[write],
    run: (_round, i) => history.saveMessage(`c${i % conversations}`, BODY),
    settle: () => history.flush(),
    close: () => history.close(),
  }
}

/** The same with an id of the caller's for each message: who it belongs to is asked before it is saved. */
export async function everthreadIds(target: Target): Promise<Subject> {
  const history = await storeOnPostgres(target.url, target.directory, 'ids', {
    write: 'idempotent',
  })
  let saved = 0
  return {
    name: 'everthread idempotent, ids of the caller',
    promise: PROMISES.idempotent,
    run: (_round, i) => {
      return history.saveMessage(`c${i % CONVERSATIONS}`, { ...BODY, id: `id ${saved++}` })
    },
    settle: () => history.flush(),
    close: () => history.close(),
  }
}

/** What the statement of the engine costs, without a log, a backup and all that decides about them. */
export async function engineAlone({ url }: Target): Promise<Subject> {
  const backend = new PostgresBackend({ url })
  await backend.connect()
  const append = appendMaker()
  return {
    name: `everthread ${ENGINE}`,
    promise: 'primary',
    run: (_round, i) => backend.apply([append(`c${i % CONVERSATIONS}`)], { decide: true }),
    close: () => backend.disconnect(),
  }
}

/** The least that two copies cost: nothing is judged, indexed, flushed or kept for a repeat. */
export async function leastOfTwo({ url, directory }: Target): Promise<Subject> {
  const inserts = await raw.rawBatches(url, 'raw_batches_with_log')
  const log = await bareLog(join(directory, 'bare.log'))
  return {
    name: LEAST,
    promise: 'primary + one file',
    run: (round, i) => Promise.all([inserts.run(round, i), log.run(round, i)]),
    close: async () => {
      await inserts.close()
      await log.close()
    },
  }
}
