import { expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import type { ApplyOptions, ReplicaBackend } from '../../src/backend/replica-backend.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { JsonText } from '../../src/core/json.ts'
import { STAMP_MIN, stampFloor, type Stamp } from '../../src/core/stamp.ts'
import { compareText } from '../../src/core/text.ts'
import { describePostgres, openPostgres } from '../support/postgres-backend.ts'

const ROUNDS = Number(process.env['MERGE_ROUNDS'] ?? 6)
const CALLS = 50

// Goal: whatever is applied, PostgreSQL holds and answers exactly what the in-memory database does.
// Method: seeded random calls over few keys, ids and stamps, so that everything collides; after each
// call the answers are compared, after each round every read, digest and scan.
describePostgres('PostgreSQL against the in-memory database', () => {
  test.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
    'random calls of seed %i have the same answers and leave the same state',
    async (seed) => {
      const random = generator(seed)
      const memory = new MemoryBackend()
      await memory.connect()
      const postgres = await openPostgres()
      for (let i = 0; i < CALLS; i++) {
        const { operations, options } = randomCall(random)
        const [a, b] = [
          await memory.apply(operations, options),
          await postgres.apply(operations, options),
        ]
        expect(b.applied, JSON.stringify({ seed, i, operations, options })).toEqual(a.applied)
        expect(b.identity).toMatch(/^[0-9a-f]{32}$/)
        if (i % 25 === 0) await compare(memory, postgres, seed)
      }
      await compare(memory, postgres, seed)
      await postgres.maintenance()
      await compare(memory, postgres, seed)
    },
  )

  test.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))(
    'random concurrent merges of seed %i leave the same state as one after another',
    async (seed) => {
      const random = generator(seed + 1_000)
      const memory = new MemoryBackend()
      await memory.connect()
      const postgres = await openPostgres({ inFlightMax: 4 })
      const calls = Array.from({ length: 80 }, () => randomCall(random).operations)
      for (const operations of calls) await memory.apply(operations)
      await Promise.all(calls.map((operations) => postgres.apply(operations)))
      await compare(memory, postgres, seed)
      // Once more, in one batch after another: nothing changes.
      for (const operations of calls) await postgres.apply(operations)
      await compare(memory, postgres, seed)
    },
  )
})

const OLD_ID = stamp(3, 4)
const LATE_ID = 'ffffffff-ffff-7fff-bfff-ffffffffffff'
const KEYS = ['a', 'a\u{1F600}', 'b%_', '\uFFFD']

/** Steps of 7 s: `touched` lags some and not others. The writer keeps items from one position. */
function stamp(n: number, writer = 0): Stamp {
  const time = stampFloor(1_700_000_000_000 + n * 7_000).slice(0, 13)
  return `${time}-7001-8000-${String(writer).padStart(12, '0')}` as Stamp
}

interface Call {
  readonly operations: readonly Operation[]
  readonly options: ApplyOptions
}

function randomCall(random: (below: number) => number): Call {
  const decide = random(2) === 0
  const unique = decide && random(2) === 0
  const count = random(4) === 0 ? 1 + random(4) : 1
  const operations = Array.from({ length: count }, () => randomOperation(random))
  return {
    operations,
    options: {
      decide,
      unique,
      ...(random(5) === 0 && { hint: `w${random(2)}` }),
      ...(random(5) === 0 && { cursor: { writer: `w${random(2)}`, lsn: random(50) } }),
    },
  }
}

function randomOperation(random: (below: number) => number): Operation {
  const key = KEYS[random(KEYS.length)]!
  const who = random(8)
  const at = stamp(1 + random(40), who)
  const position = random(12) === 0 ? STAMP_MIN : stamp(1 + random(40), who)
  const id =
    who < 4
      ? `m${who}`
      : who === 4
        ? OLD_ID
        : who === 5
          ? LATE_ID
          : random(3) === 0
            ? stamp(random(40), who)
            : at
  // The content follows from the stamp: two operations of one stamp are the same operation.
  const value = JSON.stringify({ text: `\0 \ud800 ${at} ${id}`, key }) as JsonText
  switch (random(12)) {
    case 0:
      return { kind: 'delete', key, stamp: stamp(1 + random(30)) }
    case 1:
    case 2:
      return { kind: 'set', key, stamp: at, value }
    case 3:
    case 4:
      return { kind: 'put', change: 'edit', key, id, position, stamp: at, value }
    case 5:
      return { kind: 'put', change: 'remove', key, id, position, stamp: at }
    default:
      return { kind: 'put', change: 'append', key, id, position: at, stamp: at, value }
  }
}

async function compare(a: ReplicaBackend, b: ReplicaBackend, seed: number): Promise<void> {
  const [x, y] = [await view(a), await view(b)]
  expect(y, `seed ${seed}`).toEqual(x)
}

async function view(backend: ReplicaBackend): Promise<unknown> {
  const perKey: Record<string, unknown> = {}
  for (const key of KEYS) {
    const { identity: _i, ...register } = await backend.readRegister(key)
    const { identity: _c, ...count } = await backend.countItems(key)
    const pages: unknown[] = []
    for (const order of ['newest', 'oldest'] as const) {
      for (const includeRemoved of [false, true]) {
        for (const limit of [1, 3, 100]) {
          const bounds = limit === 3 ? { before: stamp(30), after: stamp(5) } : {}
          const { identity: _, ...page } = await backend.readItems({
            key,
            order,
            limit,
            includeRemoved,
            ...bounds,
          })
          pages.push(page)
        }
      }
    }
    const ids = ['m0', 'm1', 'm2', 'm3', 'no', OLD_ID, LATE_ID, stamp(9, 6)]
    const { items } = await backend.readItemsById(key, ids)
    perKey[key] = {
      register,
      count,
      pages,
      byId: [...items].sort((p, q) => compareText(p.id, q.id)),
    }
  }
  const {
    identity: _s,
    nowMs = Date.now(),
    hints,
    hintVersion: _v,
    trusted,
    ...state
  } = await backend.readState('w0')
  expect(Math.abs(nowMs - Date.now())).toBeLessThan(60_000)
  const narrow = { from: stamp(8), to: stamp(22) }
  const latest = await backend.listLatest({ prefix: '', limit: 10 })
  const second = await backend.listLatest({
    prefix: '',
    limit: 2,
    ...(latest.keys[0] && { before: latest.keys[0] }),
  })
  return {
    perKey,
    state,
    trusted,
    hints: hints.map(({ writer }) => writer).sort(),
    keys: (await backend.listKeys({ prefix: '', limit: 10 })).keys,
    after: (await backend.listKeys({ prefix: 'a', after: 'a', limit: 1 })).keys,
    prefix: (await backend.listKeys({ prefix: 'b%', limit: 10 })).keys,
    latest: latest.keys,
    second: { keys: second.keys, done: second.done },
    whole: await backend.digest(WHOLE_RANGE, 4),
    narrow: await backend.digest(narrow, 7),
    scanWhole: await scanned(backend, WHOLE_RANGE),
    scanNarrow: await scanned(backend, narrow),
  }
}

async function scanned(backend: ReplicaBackend, range: typeof WHOLE_RANGE): Promise<string[]> {
  const all: string[] = []
  for await (const operation of backend.scan(range)) {
    all.push(JSON.stringify(Object.entries(operation).sort(([a], [b]) => compareText(a, b))))
  }
  return all.sort()
}

function generator(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
