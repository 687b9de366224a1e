// Goal: whatever happens to the server or the network, each call ends by its deadline, says truly
// what is known about its effect, and works again afterwards.
// Method: a private PostgreSQL server and a TCP proxy before it; faults of both, and a look at what
// the database has in the end.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import type { ApplyOptions } from '../../src/backend/replica-backend.ts'
import { isStorageError, StorageConnectionError, type StorageError } from '../../src/core/errors.ts'
import type { AppendOperation } from '../../src/core/operation.ts'
import { FaultProxy } from '../../src/testing/fault-proxy.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { message } from '../support/messages.ts'
import { INSTALL_HINT, postgresBinaries } from '../support/postgres-binaries.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'

const isMissing = postgresBinaries() === undefined
if (isMissing && process.env['REQUIRE_SERVERS'] === '1') throw new Error(INSTALL_HINT)
if (isMissing) console.warn(`SKIPPED: PostgreSQL fault tests. ${INSTALL_HINT}`)

/** Deadline of a call that is meant to miss it, and the most it may take beyond. Milliseconds. */
const DEADLINE_MS = 500
const SLACK_MS = 2_000

describe.skipIf(isMissing)('PostgreSQL driver', () => {
  let server: PostgresServer
  let proxy: FaultProxy

  beforeAll(async () => {
    server = await startPostgres()
    proxy = await FaultProxy.open({ port: server.port })
  })
  afterEach(() => proxy.set({ kind: 'pass' }))
  afterAll(async () => {
    await proxy?.close()
    await server?.stop()
  })

  const open = async (options: PostgresOptions = {}): Promise<PostgresBackend> => {
    const backend = new PostgresBackend({
      port: proxy.port,
      schema: `fault_${randomBytes(6).toString('hex')}`,
      connectTimeoutMs: 1_000,
      disconnectTimeoutMs: 500,
      ...options,
    })
    onTestFinished(() => backend.disconnect())
    await backend.connect()
    return backend
  }

  test('a server that is killed refuses without effect and is used again once it is back', async () => {
    const backend = await open()
    await backend.append('k', 1)
    await server.kill()
    // The first call may meet a connection that nobody has told yet.
    await failure(backend.apply([message('k')]))
    const refused = await failure(backend.apply([message('k')]))
    expect([refused.code, refused.effect]).toEqual(['UNAVAILABLE', 'none'])
    expect((await failure(backend.countItems('k'))).code).toBe('UNAVAILABLE')
    expect(backend.isConnected()).toBe(false)
    await server.restart()
    await backend.append('k', 2)
    expect((await backend.getRange('k', 0, 10)).length).toBeGreaterThanOrEqual(2)
    expect(backend.isConnected()).toBe(true)
  })

  test('what was acknowledged before a kill is there after it, once', async () => {
    const backend = await open()
    const acknowledged: AppendOperation[] = []
    const unknown: AppendOperation[] = []
    let stopped = false
    const writers = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        const operation = message('k')
        try {
          await backend.apply([operation], { decide: true, timeoutMs: 2_000 })
          acknowledged.push(operation)
        } catch (error) {
          if (isStorageError(error) && error.effect === 'none') return
          unknown.push(operation)
        }
      }
    })
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(200))
    await server.kill()
    stopped = true
    await Promise.all(writers)
    await server.restart()
    const stored = await ids(backend)
    expect(new Set(stored).size).toBe(stored.length)
    expect(acknowledged.filter(({ id }) => !stored.includes(id))).toEqual([])
    const allowed = new Set([...acknowledged, ...unknown].map(({ id }) => id))
    expect(stored.filter((id) => !allowed.has(id))).toEqual([])
  })

  test('isConnected becomes true by itself when the server is back', async () => {
    const backend = await open()
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    await failure(backend.countItems('k'))
    expect(backend.isConnected()).toBe(false)
    await proxy.set({ kind: 'pass' })
    await eventually(() => expect(backend.isConnected()).toBe(true))
  })

  test('connect rejects while the server is away, and later calls find it', async () => {
    await proxy.set({ kind: 'refuse' })
    const backend = new PostgresBackend({
      port: proxy.port,
      schema: 'late',
      connectTimeoutMs: 1_000,
    })
    onTestFinished(() => backend.disconnect())
    const error: unknown = await backend.connect().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StorageConnectionError)
    expect((await failure(backend.apply([message('k')]))).effect).toBe('none')
    await proxy.set({ kind: 'pass' })
    await backend.append('k', 1)
    await backend.connect()
    expect(backend.isConnected()).toBe(true)
  })

  test('connect to a server that accepts and says nothing ends by its deadline', async () => {
    await proxy.set({ kind: 'black-hole' })
    const backend = new PostgresBackend({ port: proxy.port, connectTimeoutMs: DEADLINE_MS })
    onTestFinished(() => backend.disconnect())
    await within(failure(backend.connect()))
  })

  test('a stopped server costs a call its deadline, and nothing more once it goes on', async () => {
    const backend = await open()
    const operation = message('k')
    await backend.countItems('k')
    server.pause()
    const [write, read] = await within(
      Promise.all([
        failure(backend.apply([operation], { decide: true, timeoutMs: DEADLINE_MS })),
        failure(backend.countItems('k', { timeoutMs: DEADLINE_MS })),
      ]),
    )
    server.resume()
    expect([write.code, write.effect]).toEqual(['TIMEOUT', 'unknown'])
    expect([read.code, read.effect]).toEqual(['TIMEOUT', 'none'])
    await repeatIsHarmless(backend, operation)
  })

  test('disconnect ends by its deadline though the server is stopped', async () => {
    const backend = await open()
    await backend.countItems('k')
    server.pause()
    onTestFinished(() => server.resume())
    const call = failure(backend.countItems('k'))
    await within(backend.disconnect())
    await call
    server.resume()
  })

  test.each([
    ['requests', 'up'],
    ['replies', 'down'],
  ] as const)('%s that vanish end the call by its deadline', async (_name, direction) => {
    const backend = await open()
    const operation = message('k')
    // Two connections that are there already.
    await Promise.all([backend.countItems('k'), backend.countItems('k')])
    await proxy.set({ kind: 'black-hole', direction })
    const options: ApplyOptions = { decide: true, timeoutMs: DEADLINE_MS }
    const errors = await within(
      Promise.all([
        failure(backend.apply([operation], options)),
        failure(backend.trust('other', { timeoutMs: DEADLINE_MS })),
      ]),
    )
    expect(errors.map(({ code, effect }) => [code, effect])).toEqual([
      ['TIMEOUT', 'unknown'],
      ['TIMEOUT', 'unknown'],
    ])
    await proxy.set({ kind: 'pass' })
    await repeatIsHarmless(backend, operation)
  })

  test('a save that was stored although its reply was lost is stored once when repeated', async () => {
    const backend = await open()
    const operation = { ...message('k'), id: 'the-id' }
    await backend.countItems('k')
    await proxy.set({ kind: 'drop', direction: 'down' })
    const options: ApplyOptions = { decide: true, unique: true, timeoutMs: DEADLINE_MS }
    const error = await within(failure(backend.apply([operation], options)))
    expect([error.code, error.effect]).toEqual(['TIMEOUT', 'unknown'])
    await proxy.set({ kind: 'pass' })
    await eventually(async () => expect((await backend.countItems('k')).count).toBe(1))
    const { applied } = await backend.apply([operation], options)
    expect(applied[0]!.outcome).toBe('stands')
    expect((await backend.countItems('k')).count).toBe(1)
  })

  test('a reset in place of the reply is unknown, and a repeat is harmless', async () => {
    const backend = await open()
    const operation = message('k')
    await backend.countItems('k')
    await proxy.set({ kind: 'cut', bytes: 1, direction: 'down' })
    const error = await within(failure(backend.apply([operation], { decide: true })))
    expect([error.code, error.effect]).toEqual(['UNAVAILABLE', 'unknown'])
    await proxy.set({ kind: 'pass' })
    await repeatIsHarmless(backend, operation)
  })

  test('a reset of the connection while a read waits is no effect, and the next read works', async () => {
    const backend = await open()
    await backend.countItems('k')
    await proxy.set({ kind: 'reset' })
    const error = await within(failure(backend.countItems('k')))
    expect([error.code, error.effect]).toEqual(['UNAVAILABLE', 'none'])
    await proxy.set({ kind: 'pass' })
    expect((await backend.countItems('k')).count).toBe(0)
  })

  test('a transaction that is cut off before its commit leaves nothing and says so', async () => {
    const backend = await open()
    await backend.countItems('k')
    // A removal that is judged takes several round trips; the first reply is already too long.
    await proxy.set({ kind: 'cut', bytes: 1, direction: 'down' })
    const removal = { ...message('k'), change: 'remove' as const }
    const error = await within(failure(backend.apply([removal], { decide: true })))
    expect([error.code, error.effect]).toEqual(['UNAVAILABLE', 'none'])
    await proxy.set({ kind: 'pass' })
    expect((await backend.readItemsById('k', [removal.id])).items).toEqual([])
  })

  test('a slow network delays calls and breaks nothing', async () => {
    const backend = await open()
    await proxy.set({ kind: 'delay', delayMs: 10 })
    await Promise.all(Array.from({ length: 20 }, (_, i) => backend.append('k', i)))
    expect((await backend.countItems('k')).count).toBe(20)
  })

  test('many calls that time out leave neither connections nor timers behind', async () => {
    const backend = await open({ maxConnections: 3 })
    await backend.countItems('k')
    await proxy.set({ kind: 'black-hole' })
    await within(
      Promise.all(
        Array.from({ length: 30 }, () =>
          failure(backend.countItems('k', { timeoutMs: DEADLINE_MS })),
        ),
      ),
    )
    await proxy.set({ kind: 'pass' })
    await backend.countItems('k')
    expect(backend.getInfo().pool.waitingCount).toBe(0)
    await backend.disconnect()
    await eventually(() => expect(proxy.live).toBe(0))
  })

  /** The operation counts once, whether or not it had been applied before. */
  async function repeatIsHarmless(
    backend: PostgresBackend,
    operation: AppendOperation,
  ): Promise<void> {
    await eventually(() => backend.countItems('k'))
    const { applied } = await backend.apply([operation], { decide: true })
    expect(applied[0]!.outcome).toBe('applied')
    expect(await ids(backend)).toEqual([operation.id])
  }
})

describe.skipIf(isMissing)('PostgreSQL settings of the server', () => {
  test.each(['fsync', 'full_page_writes'])('%s = off is not called durable', async (name) => {
    const server = await startPostgres({ settings: { [name]: 'off' } })
    onTestFinished(() => server.stop())
    const backend = new PostgresBackend({ url: server.url })
    onTestFinished(() => backend.disconnect())
    await backend.connect()
    expect(backend.getDurability()).toEqual({ durable: false, reasons: [`${name} is off`] })
  })
})

async function ids(backend: PostgresBackend): Promise<string[]> {
  const stored: string[] = []
  for await (const operation of backend.scan({
    from: '00000000-0000-0000-0000-000000000000' as AppendOperation['stamp'],
    to: 'ffffffff-ffff-ffff-ffff-ffffffffffff' as AppendOperation['stamp'],
  })) {
    if (operation.kind === 'put') stored.push(operation.id)
  }
  return stored
}

async function failure(call: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Error && 'effect' in error) return error as StorageError
  throw new Error(`expected a StorageError, got ${String(error)}`)
}

/** Fails when the call does not end soon after its deadline. */
async function within<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('still waiting')), DEADLINE_MS + SLACK_MS)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}
