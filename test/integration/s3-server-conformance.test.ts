// Goal: the engine keeps its contract on a server that others wrote. Method: the same suites, on the
// server that S3_TEST_URL names (`node scripts/ceph.mjs` starts one); the bucket is made there.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { S3Client } from '../../src/backend/s3/protocol/client.ts'
import { S3Backend, type S3Options } from '../../src/backend/s3/index.ts'
import { resolveS3Options } from '../../src/backend/s3/protocol/options.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory } from '../../src/index.ts'
import { judge } from '../../src/testing/backend/context.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { chatHistoryConformance } from '../../src/testing/chat-history-conformance.ts'
import { replicaBackendConformance } from '../../src/testing/replica-backend-conformance.ts'

const url = process.env['S3_TEST_URL']
if (url === undefined) {
  console.warn(
    'SKIPPED: the S3 engine on a server of others. Set S3_TEST_URL: see CONTRIBUTING.md.',
  )
}

const chosen = new WeakMap<object, S3Options>()
let scratch = ''
let count = 0

describe.runIf(url !== undefined)('a server of others', () => {
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'everthread-s3-'))
    const client = new S3Client(nodeEnv(), { ...resolveS3Options({ url: url! }), root: '' })
    const call = { signal: AbortSignal.timeout(30_000) }
    // Without a name below it, this makes the bucket itself.
    await client.put('', new Uint8Array(), call).catch((error: unknown) => {
      if (!String(error).includes('BucketAlreadyOwnedByYou')) throw error
    })
  })
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  replicaBackendConformance({
    name: 's3 on a server of others',
    open: () => open(fresh()),
    reopen: (backend) => open(chosen.get(backend)!),
    capabilities: { persistent: true, conditions: 'key', propertyRuns: 8 },
  })

  chatHistoryConformance({
    name: 'SQLite, S3 on a server of others and a log on disk',
    open: () =>
      openChatHistory({
        primary: { type: 'sqlite', path: join(scratch, `primary-${++count}.db`) },
        backup: { type: 's3', ...fresh() },
        wal: `file:${join(scratch, `wal-${count}`)}`,
      }),
  })

  test('three processes that save the same ids at once: each is saved once', async () => {
    const options = fresh()
    const backends = await Promise.all([open(options), open(options), open(options)])
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const operation = append('k', stampAt(i), i % 3, `id ${Math.floor(i / 3)}`)
        const [answer] = await judge(backends[i % 3]!, [operation], { unique: true })
        return answer!.outcome
      }),
    )
    expect(outcomes.filter((outcome) => outcome === 'applied')).toHaveLength(10)
    for (const backend of backends) await backend.disconnect()
  })

  test('a large object is sent in parts', async () => {
    const options = { ...fresh(), multipartBytes: 5 * 1024 ** 2 }
    const client = new S3Client(nodeEnv(), resolveS3Options(options))
    const call = { signal: AbortSignal.timeout(60_000) }
    const body = Buffer.alloc(12 * 1024 ** 2, 'abc')
    await client.put('large', body, call)
    expect((await client.get('large', call))!.equals(body)).toBe(true)
    await client.delete(['large', 'absent'], call)
    expect(await client.get('large', call)).toBeUndefined()
  })
})

function fresh(): S3Options {
  return { url: url!, prefix: `test-${randomBytes(6).toString('hex')}` }
}

async function open(options: S3Options): Promise<S3Backend> {
  const backend = new S3Backend(options)
  chosen.set(backend, options)
  await backend.connect()
  return backend
}
