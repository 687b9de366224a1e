import { describe, expect, test } from 'vitest'
import { StorageError } from '../core/errors.ts'
import { encodeJson } from '../core/json.ts'
import { nodeEnv } from '../core/node-env.ts'
import type { AppendOperation } from '../core/operation.ts'
import { StampClock } from '../core/stamp.ts'
import { MapBackend } from '../testing/map-backend.ts'
import { replicaBackendConformance } from '../testing/replica-backend-conformance.ts'
import { virtualEnv } from '../testing/virtual-env.ts'
import { plainAdapter } from './plain-adapter.ts'
import type { ReplicaBackend } from './replica-backend.ts'

const MAPS = new WeakMap<ReplicaBackend, Map<string, string>>()

async function adapterOn(documents: Map<string, string>): Promise<ReplicaBackend> {
  const adapter = plainAdapter(new MapBackend(documents), nodeEnv())
  await adapter.connect()
  MAPS.set(adapter, documents)
  return adapter
}

replicaBackendConformance({
  name: 'plainAdapter over a map',
  open: () => adapterOn(new Map()),
  reopen: (backend) => adapterOn(MAPS.get(backend)!),
  capabilities: { persistent: true, leases: false, propertyRuns: 20 },
})

const clock = new StampClock({ now: () => 1_700_000_000_000, writer: new Uint8Array(8) })

function append(key: string, value: unknown): AppendOperation {
  const stamp = clock.tick()
  return {
    kind: 'put',
    change: 'append',
    key,
    id: stamp,
    position: stamp,
    stamp,
    value: encodeJson(value),
  }
}

async function setup(): Promise<{ backend: MapBackend; adapter: ReplicaBackend }> {
  const backend = new MapBackend()
  const adapter = plainAdapter(backend, nodeEnv())
  await adapter.connect()
  return { backend, adapter }
}

async function countsOf(adapter: ReplicaBackend, keys: readonly string[]): Promise<number[]> {
  return await Promise.all(keys.map(async (key) => (await adapter.countItems(key)).count))
}

/** Lets writes of these keys fail, as if the process or the server stopped there. */
function failOn(backend: MapBackend, part: string, error: Error = new Error('cut off')): void {
  backend.beforeSet = (key) => {
    if (key.includes(part)) throw error
  }
}

describe('a group over several keys', () => {
  test('that is cut short is whole for readers at once, and after a restart', async () => {
    const { backend, adapter } = await setup()
    failOn(backend, 'key:b')
    const saved = adapter.apply([append('a', 1), append('b', 2)])
    await expect(saved).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'unknown' })
    expect(await countsOf(adapter, ['a', 'b'])).toEqual([1, 1])
    const restarted = await adapterOn(backend.documents)
    expect(await countsOf(restarted, ['a', 'b'])).toEqual([1, 1])
  })

  test('that did not get into the journal is nowhere', async () => {
    const { backend, adapter } = await setup()
    failOn(backend, 'journal')
    const saved = adapter.apply([append('a', 1), append('b', 2)])
    await expect(saved).rejects.toMatchObject({ effect: 'unknown' })
    expect(await countsOf(adapter, ['a', 'b'])).toEqual([0, 0])
  })

  test('that is cut short is finished before anything else is written', async () => {
    const { backend, adapter } = await setup()
    failOn(backend, 'key:b')
    await expect(adapter.apply([append('a', 1), append('b', 2)])).rejects.toThrow('cut off')
    const refused = adapter.apply([append('c', 3)])
    await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    backend.beforeSet = () => {}
    await adapter.apply([append('c', 3)])
    const restarted = await adapterOn(backend.documents)
    expect(await countsOf(restarted, ['a', 'b', 'c'])).toEqual([1, 1, 1])
  })

  test('that the backend refuses for good leaves nothing behind, and others are saved', async () => {
    const { backend, adapter } = await setup()
    await adapter.apply([append('a', 0)])
    failOn(backend, 'key:poison', new StorageError('REJECTED', 'too large'))
    const outcomes = await Promise.allSettled([
      adapter.apply([append('a', 1), append('poison', 2)]),
      adapter.apply([append('b', 3)]),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(outcomes[0]).toMatchObject({ reason: { code: 'REJECTED', effect: 'none' } })
    const restarted = await adapterOn(backend.documents)
    expect(await countsOf(restarted, ['a', 'b', 'poison'])).toEqual([1, 1, 0])
  })
})

describe('saves at the same moment', () => {
  test('into one conversation are all kept, and share their writes', async () => {
    const { backend, adapter } = await setup()
    const before = backend.calls.set
    await Promise.all(Array.from({ length: 50 }, (_, i) => adapter.append('a', i)))
    expect(await countsOf(adapter, ['a'])).toEqual([50])
    expect(backend.calls.set - before).toBeLessThan(10)
  })

  test('with a hint have it raised before the data, so that no reader trusts too early', async () => {
    const { backend, adapter } = await setup()
    const order: string[] = []
    backend.beforeSet = (key) => void order.push(key.replace('everthread:', ''))
    await adapter.apply([append('a', 1)], { hint: 'w', cursor: { writer: 'w', lsn: 7 } })
    expect(order).toEqual(['meta', 'key:a', 'meta'])
    expect(await adapter.readState('w')).toMatchObject({
      hints: [{ writer: 'w', count: 1 }],
      cursor: 7,
    })
  })
})

test('a write that hangs holds up later ones, which end in time without effect', async () => {
  const env = virtualEnv()
  const backend = new MapBackend()
  const adapter = plainAdapter(backend, env)
  await adapter.connect()
  let release = (): void => {}
  backend.beforeSet = () => new Promise((resolve) => (release = resolve))
  const first = adapter.apply([append('a', 1)], { timeoutMs: 50 })
  const second = adapter.apply([append('a', 2)], { timeoutMs: 50 })
  const unknown = expect(first).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
  await env.settle()
  const third = adapter.apply([append('a', 3)], { timeoutMs: 50 })
  const none = expect(third).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none' })
  await env.drive(Promise.all([unknown, none, second.catch(() => {})]))
  backend.beforeSet = () => {}
  release()
  await env.settle()
  await adapter.apply([append('a', 4)])
  expect(await countsOf(adapter, ['a'])).toEqual([3])
})

test('a backend that was handed in connected stays connected', async () => {
  const backend = new MapBackend()
  await backend.connect()
  const adapter = plainAdapter(backend, nodeEnv())
  await adapter.connect()
  await adapter.disconnect()
  expect(backend.isConnected()).toBe(true)
  await expect(adapter.readState('w')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('an outage is an error and never reads as absence', async () => {
  const { backend, adapter } = await setup()
  await adapter.append('a', 1)
  await backend.disconnect()
  const read = adapter.readItems({ key: 'a', limit: 1, order: 'newest' })
  await expect(read).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
})

test('a database that was emptied under it gets a new identity', async () => {
  const { backend, adapter } = await setup()
  const { identity } = await adapter.readState('w')
  backend.documents.clear()
  const state = await adapter.readState('w')
  expect(state.identity).not.toBe(identity)
  expect((await adapter.apply([append('a', 1)])).identity).toBe(state.identity)
})

test('a document that somebody else wrote is not taken for an empty key', async () => {
  const { backend, adapter } = await setup()
  backend.documents.set('everthread:key:a', '{"format":99}')
  await expect(adapter.readRegister('a')).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect(adapter.apply([append('a', 1)])).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('how durable it is, is not known unless its user says so', async () => {
  const unknown = plainAdapter(new MapBackend()).getDurability()
  expect(unknown).toMatchObject({ durable: false, reasons: [expect.stringContaining('not known')] })
  const known = plainAdapter(new MapBackend(), nodeEnv(), { durable: true }).getDurability()
  expect(known.durable).toBe(true)
})
