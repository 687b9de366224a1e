// What a bucket as backup costs in requests, and so in money; and in time, on the server that
// S3_TEST_URL names (`node scripts/test-s3.mjs npm run bench s3`), else on the tests' own one.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client } from '../src/backend/s3/protocol/client.ts'
import { S3Backend, type RequestCounts, type S3Options } from '../src/backend/s3/index.ts'
import { resolveS3Options } from '../src/backend/s3/protocol/options.ts'
import { nodeEnv } from '../src/core/node-env.ts'
import { openChatHistory, type ChatHistory } from '../src/index.ts'
import { S3Server } from '../simulator/s3/s3-server.ts'
import { report } from './support/report.ts'

/** List prices of AWS for a request in us-east-1, US dollars; removals are free. */
const PRICES = { put: 0.005 / 1_000, list: 0.005 / 1_000, get: 0.0004 / 1_000, delete: 0 }
const CONTENT = 'x'.repeat(500)
const SAVES = 400

const server = new S3Server()
await server.start()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-s3-'))
const url = process.env['S3_TEST_URL']
const place: S3Options =
  url === undefined
    ? { bucket: 'bucket', endpoint: server.endpoint, credentials: server.keys }
    : { url }
const figures: Record<string, number> = {}

try {
  if (url !== undefined) await makeBucket()
  // A chat that is quiet: each message is brought to the bucket by itself.
  await measure('alone', async (history) => {
    for (let i = 0; i < SAVES; i++) {
      await save(history, `c${i % 4}`, i)
      await history.flush()
    }
  })
  // A service that is busy: what came in meanwhile goes together.
  await measure('busy', async (history) => {
    const sessions = Array.from({ length: 40 }, async (_, session) => {
      for (let i = 0; i < SAVES / 10; i++) await save(history, `c${session}`, i)
    })
    await Promise.all(sessions)
    await history.flush()
  })
  await reads()
  await report('s3', {
    figures,
    settings: { saves: SAVES, contentBytes: CONTENT.length, prices: PRICES },
  })
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}

async function measure(name: string, work: (history: ChatHistory) => Promise<void>): Promise<void> {
  const backup = await openBackend()
  const history = await openChatHistory({
    primary: { type: 'sqlite', path: join(scratch, `${name}.db`) },
    backup,
    wal: `file:${join(scratch, `${name}-wal`)}`,
  })
  await history.flush()
  const before = backup.getRequestCounts()
  const startedAt = performance.now()
  await work(history)
  const seconds = (performance.now() - startedAt) / 1_000
  const after = backup.getRequestCounts()
  const saves = await countOf(history)
  // The list and read of each second for hints are counted apart: they do not depend on saves.
  const polls = Math.floor(seconds)
  const sent = difference(before, after)
  const own = { ...sent, list: Math.max(0, sent.list - polls), get: Math.max(0, sent.get - polls) }
  for (const kind of ['put', 'list', 'get', 'delete'] as const) {
    figures[`${name}.${kind}PerSave`] = own[kind] / saves
  }
  figures[`${name}.dollarsPerMillionSaves`] = (dollars(own) / saves) * 1_000_000
  await history.close()
}

async function reads(): Promise<void> {
  const options = { ...place, prefix: `bench-${randomBytes(4).toString('hex')}` }
  const writer = await openBackend(options)
  for (let i = 0; i < 1_000; i++) await writer.append('long', `${i} ${CONTENT}`)
  const page = { key: 'long', limit: 50, order: 'newest' } as const
  for (const [name, backend] of [
    ['firstPage', await openBackend(options)],
    ['nextPage', writer],
  ] as const) {
    const before = backend.getRequestCounts()
    const startedAt = performance.now()
    await backend.readItems(page)
    figures[`${name}Ms`] = performance.now() - startedAt
    const { list, get } = difference(before, backend.getRequestCounts())
    figures[`${name}Lists`] = list
    figures[`${name}Gets`] = get
  }
  const times: number[] = []
  for (let i = 0; i < 100; i++) {
    const startedAt = performance.now()
    await writer.append('short', i)
    times.push(performance.now() - startedAt)
  }
  times.sort((a, b) => a - b)
  figures['directSaveP50Ms'] = times[50]!
  figures['directSaveP99Ms'] = times[99]!
  figures['dollarsPerMonthAndProcessForHints'] = 30 * 86_400 * (PRICES.list + PRICES.get)
  await writer.disconnect()
}

async function openBackend(
  options: S3Options = { ...place, prefix: `bench-${randomBytes(4).toString('hex')}` },
): Promise<S3Backend> {
  const backend = new S3Backend(options)
  await backend.connect()
  return backend
}

async function makeBucket(): Promise<void> {
  const client = new S3Client(nodeEnv(), { ...resolveS3Options(place), root: '' })
  await client.put('', new Uint8Array(), { signal: AbortSignal.timeout(30_000) })
}

async function save(history: ChatHistory, conversation: string, i: number): Promise<void> {
  await history.saveMessage(conversation, { role: 'user', content: `${i} ${CONTENT}` })
}

async function countOf(history: ChatHistory): Promise<number> {
  const { conversations } = await history.listConversations({ limit: 100 })
  const counts = conversations.map(({ conversationId }) => history.countMessages(conversationId))
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

function difference(before: RequestCounts, after: RequestCounts): RequestCounts {
  return {
    get: after.get - before.get,
    put: after.put - before.put,
    list: after.list - before.list,
    delete: after.delete - before.delete,
  }
}

function dollars(counts: RequestCounts): number {
  return (['get', 'put', 'list', 'delete'] as const).reduce(
    (sum, kind) => sum + counts[kind] * PRICES[kind],
    0,
  )
}
