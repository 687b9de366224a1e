/*
 * What a list by owner costs as conversations grow: 20 of 100 and of 100,000 of one owner, and of 100 beside 100,000
 * of other owners and as many of another tenant; on SQLite and PostgreSQL. And what a save costs in a tenant without
 * records, in one with records, and in a conversation that has an owner. Writes bench/results/conversations.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { activeKey, recordKey } from '../src/chat/keys.ts'
import { openChatHistory, type ChatHistory } from '../src/index.ts'
import type { GroupChange } from '../src/store/groups.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import type { Goal } from './support/goal.ts'
import { interleave, type Case } from './support/interleave.ts'
import { sample, type Row } from './support/measure.ts'
import { BODY } from './support/messages.ts'
import { report } from './support/report.ts'
import { storeOnPostgres } from './support/store-on-postgres.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const MANY = Number(process.env['CONVERSATIONS'] ?? 100_000)
const FEW = 100
const LISTINGS = 40
const SAVES = Number(process.env['COUNT'] ?? 1_000)
/** Conversations that are made in one group: three operations each. */
const AT_ONCE = 300
/** A page by owner of many may cost this much of one of few. */
const TIMES_MAX = 1.5

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const stores: ChatHistory[] = []

/** What a list by owner reads of what `createConversation` makes, many in one group. */
async function fill(history: ChatHistory, owner: string, count: number): Promise<void> {
  const { groups } = history.store
  for (let from = 0; from < count; from += AT_ONCE) {
    const part = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => from + i)
    await groups.write(part.flatMap((i) => changesOf(history, owner, `${owner}-${i}`)))
  }
  await history.flush()
}

function changesOf({ store: { groups } }: ChatHistory, owner: string, id: string): GroupChange[] {
  const key = recordKey('', id)
  const [created, owned] = [groups.newId(), groups.newId()]
  const put = (list: string, item: string, value: unknown): GroupChange => {
    return { kind: 'put', key: list, id: item, value }
  }
  const value = { conversation: id }
  return [
    put(key, 'created', { at: '2026-01-01T00:00:00.000Z', entry: created }),
    put(key, 'owner', { name: owner, entry: owned }),
    put(activeKey('', owner), owned, value),
  ]
}

function listing(name: string, history: ChatHistory, owner: string): Case {
  return caseOf(name, 1, LISTINGS, () => history.listConversations({ owner, limit: 20 }))
}

function caseOf(
  name: string,
  concurrency: number,
  operations: number,
  run: (i: number) => Promise<unknown>,
): Case {
  const promise = 'its page'
  const subject = {
    name,
    promise,
    run: (_round: number, i: number) => run(i),
    close: async () => {},
  }
  return {
    name,
    promise,
    concurrency,
    measure: (round) => sample(subject, round, concurrency, { operations }),
  }
}

async function measure(
  engine: string,
  open: (name: string) => Promise<ChatHistory>,
): Promise<{ rows: Row[]; goals: Goal[] }> {
  const opened = async (name: string): Promise<ChatHistory> => {
    const history = await open(name)
    stores.push(history)
    return history
  }
  const [small, large, plain] = [
    await opened('small'),
    await opened('large'),
    await opened('plain'),
  ]
  await fill(small, 'ann', FEW)
  await fill(large, 'ann', MANY)
  await fill(large, 'bob', FEW)
  const names = {
    few: `${engine}: 20 of ${FEW}`,
    many: `${engine}: 20 of ${MANY}`,
    beside: `${engine}: 20 of ${FEW} beside ${MANY}`,
  }
  const rows = await interleave(
    [
      listing(names.few, small, 'ann'),
      listing(names.many, large, 'ann'),
      listing(names.beside, large, 'bob'),
    ],
    ROUNDS,
  )
  const save = (name: string, history: ChatHistory, prefix: string): Case => {
    return caseOf(`${engine}: ${name}`, 16, SAVES, (i) =>
      history.saveMessage(`${prefix}${i % FEW}`, BODY),
    )
  }
  rows.push(
    ...(await interleave(
      [
        save('saves without records', plain, 'c'),
        save('saves beside records', small, 'c'),
        save('saves of an owner', small, 'ann-'),
      ],
      ROUNDS,
    )),
  )
  const goals = [names.many, names.beside].map((name): Goal => {
    const measured = `${name} by owner, times the cost of 20 of ${FEW}, p50`
    const value = rows.find((row) => row.name === name)!.p50Ratio
    return { number: 'C1', measure: measured, atMost: TIMES_MAX, value }
  })
  return { rows, goals }
}

try {
  const sqlite = await measure('sqlite', async (name) => {
    const path = (place: string): string => join(scratch, `${name}-${place}`)
    return await openChatHistory({
      primary: `sqlite:${path('primary.db')}`,
      backup: `sqlite:${path('backup.db')}`,
      wal: `file:${path('wal')}`,
    })
  })
  const postgres = await measure('postgresql', async (name) =>
    storeOnPostgres(server.url, scratch, `records-${name}`),
  )
  await report('conversations', {
    rows: [...sqlite.rows, ...postgres.rows],
    goals: [...sqlite.goals, ...postgres.goals],
    settings: { rounds: ROUNDS, conversations: MANY },
  })
} finally {
  for (const store of stores) await store.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
