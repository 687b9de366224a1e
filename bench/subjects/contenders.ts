/*
 * What `bench/peers.ts` measures, each opened in a process of its own: one subject that saves, and one
 * that reads the latest messages of a long conversation.
 */
import pg from 'pg'
import type { Subject } from '../support/measure.ts'
import { BODY } from '../support/messages.ts'
import { importPeer, type PeerStore } from '../support/peer.ts'
import { storeOnPostgres } from '../support/store-on-postgres.ts'

const CONVERSATIONS = 100
const CONNECTIONS = 16
const HISTORY = 1000
const PAGE = 50

export const SETTINGS = { conversations: CONVERSATIONS, connections: CONNECTIONS } as const

export interface Target {
  readonly url: string
}

export async function raw({ url }: Target): Promise<readonly Subject[]> {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS })
  pool.on('error', () => {})
  await pool.query(
    'CREATE TABLE messages (id bigserial PRIMARY KEY, conversation text, at timestamptz DEFAULT now(), body text)',
  )
  await pool.query('CREATE INDEX ON messages (conversation, id)')
  return await subjectsOf('raw pg, pool of 16', 'primary', 'the latest 50', {
    save: (conversation, _number, message) =>
      pool.query({
        name: 'insert',
        text: 'INSERT INTO messages (conversation, body) VALUES ($1, $2)',
        values: [conversation, JSON.stringify(message)],
      }),
    latest: async (conversation, limit) => {
      const { rows } = await pool.query<{ body: string }>({
        name: 'latest',
        text: 'SELECT body FROM messages WHERE conversation = $1 ORDER BY id DESC LIMIT $2',
        values: [conversation, limit],
      })
      return rows.map(({ body }) => JSON.parse(body) as unknown).length
    },
    close: () => pool.end(),
  })
}

export interface StoreTarget extends Target {
  readonly directory: string
  readonly write: 'idempotent' | 'wal-first'
  readonly promise: string
}

export async function everthread({
  url,
  directory,
  write,
  promise,
}: StoreTarget): Promise<readonly Subject[]> {
  const history = await storeOnPostgres(url, directory, write, { write })
  return await subjectsOf(`everthread ${write}`, promise, 'the latest 50', {
    save: (conversation) => history.saveMessage(conversation, BODY),
    latest: async (conversation, limit) =>
      (await history.getHistory(conversation, { limit })).messages.length,
    settle: () => history.flush(),
    close: () => history.close(),
  })
}

export interface PeerTarget extends Target {
  readonly file: string
  readonly name: string
  readonly concurrencyMax: number
}

export async function peer({
  url,
  file,
  name,
  concurrencyMax,
}: PeerTarget): Promise<readonly Subject[]> {
  const { promise, reading, open } = await importPeer(file)
  const store = await open({ url, connections: CONNECTIONS, concurrencyMax })
  return await subjectsOf(name, promise, reading, store)
}

async function subjectsOf(
  name: string,
  promise: string,
  reading: string,
  store: PeerStore,
): Promise<readonly Subject[]> {
  let number = 0
  await (store.fill?.('long', HISTORY, BODY) ?? fill(store))
  const found = await store.latest('long', PAGE)
  if (found !== PAGE) throw new Error(`${name}: the latest ${PAGE} were ${found} messages`)
  const saver: Subject = {
    name,
    promise,
    run: (_round, i) => store.save(`c${i % CONVERSATIONS}`, number++, BODY),
    settle: async () => void (await store.settle?.()),
    close: async () => void (await store.close()),
  }
  const reader: Subject = {
    name: `latest ${PAGE} of ${HISTORY}: ${name}`,
    promise: reading,
    run: () => store.latest('long', PAGE),
    close: async () => {},
  }
  return [saver, reader]
}

async function fill(store: PeerStore): Promise<void> {
  for (let i = 0; i < HISTORY; i++) await store.save('long', i, BODY)
}
