// Goal: Keyv 5 and 6 keep their values here as in a Map, whatever the keys are. Method: Keyv's own suite of release 5, and random
// calls as release 6 makes them, compared with a Map.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import fc from 'fast-check'
import Keyv from 'keyv'
import * as vitest from 'vitest'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../index.ts'
import { EverthreadKeyv } from './keyv.ts'

const MEMORY = { primary: 'memory:', backup: 'memory:', wal: 'memory:' } as const
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 40)

let memory: ChatHistory
beforeAll(async () => {
  memory = await openChatHistory(MEMORY)
})
afterAll(() => memory.close())

let tenants = 0
/** A tenant of its own, and with it keys of its own. */
function fresh(): ChatHistory {
  return memory.forTenant(`tenant-${++tenants}`)
}

describe('the suite of Keyv 5 on memory', () => {
  keyvTestSuite(vitest, Keyv, () => new EverthreadKeyv(memory))
  keyvIteratorTests(vitest, Keyv, () => new EverthreadKeyv(memory))
})

describe('the suite of Keyv 5 on SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-keyv-'))
  let history: ChatHistory
  beforeAll(async () => {
    history = await openChatHistory({
      primary: `sqlite:${join(folder, 'primary.db')}`,
      backup: `sqlite:${join(folder, 'backup.db')}`,
      wal: { type: 'file', filePath: join(folder, 'wal') },
    })
  })
  afterAll(async () => {
    await history.close()
    rmSync(folder, { recursive: true, force: true })
  })
  keyvTestSuite(vitest, Keyv, () => new EverthreadKeyv(history))
  keyvIteratorTests(vitest, Keyv, () => new EverthreadKeyv(history))
})

/** What a Map has of a namespace. */
type Model = Map<string, { readonly value: unknown; readonly expires?: number }>

const KEYS = ['a', 'a/b', '%', '%002f', '/', '', 'ä:😀', '\0', 'x\ud800y', 'a::b', '__proto__']
const key = fc.oneof(fc.constantFrom(...KEYS), fc.string({ unit: 'binary', maxLength: 8 }))
const value = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\0', '\ud800'),
)
/** A time that has passed, one that will not pass meanwhile, or none. */
const expires = fc.constantFrom(1, Date.now() - 1, Date.now() + 3_600_000.5, undefined)
const entry = fc.record({ key, value, expires })
const call = fc.oneof(
  entry.map((given) => ({ call: 'set', ...given }) as const),
  fc.array(entry, { maxLength: 4 }).map((entries) => ({ call: 'setMany', entries }) as const),
  key.map((given) => ({ call: 'delete', key: given }) as const),
  fc.array(key, { maxLength: 4 }).map((keys) => ({ call: 'deleteMany', keys }) as const),
  fc.constant({ call: 'clear' } as const),
  fc
    .constantFrom('one', 'one/', 'on', '\0', undefined)
    .map((namespace) => ({ call: 'namespace', namespace }) as const),
)
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

test('as Keyv 6 calls it, it is a Map for each namespace', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 12 }), async (calls) => {
      const adapter = new EverthreadKeyv(fresh())
      const models = new Map<string | undefined, Model>()
      for (const each of calls) {
        const model = models.get(adapter.namespace) ?? new Map()
        models.set(adapter.namespace, model)
        expect(await apply(adapter, each)).toEqual(applyTo(model, each))
        await compare(adapter, models.get(adapter.namespace) ?? new Map())
      }
    }),
    { numRuns: RUNS },
  )
})

async function apply(adapter: EverthreadKeyv, each: Call): Promise<unknown> {
  switch (each.call) {
    case 'set':
      return await adapter.set(each.key, each.value, each.expires)
    case 'setMany':
      return await adapter.setMany(each.entries)
    case 'delete':
      return await adapter.delete(each.key)
    case 'deleteMany':
      return await adapter.deleteMany(each.keys)
    case 'clear':
      return await adapter.clear()
    case 'namespace':
      adapter.namespace = each.namespace
      return undefined
  }
}

function applyTo(model: Model, each: Call): unknown {
  const put = ({ key: name, value: given, expires: at }: Extract<Call, { call: 'set' }>): true => {
    const stored = JSON.parse(JSON.stringify(given)) as unknown
    model.set(name, { value: stored, ...(at !== undefined && { expires: at }) })
    return true
  }
  const live = (name: string): boolean => valueIn(model, name) !== undefined
  switch (each.call) {
    case 'set':
      return put(each)
    case 'setMany':
      return each.entries.map((given) => put({ call: 'set', ...given }))
    case 'delete': {
      const was = live(each.key)
      model.delete(each.key)
      return was
    }
    case 'deleteMany': {
      const were = each.keys.map(live)
      for (const name of each.keys) model.delete(name)
      return were
    }
    case 'clear':
      return model.clear()
    case 'namespace':
      return undefined
  }
}

function valueIn(model: Model, name: string): unknown {
  const found = model.get(name)
  return found === undefined || (found.expires ?? Infinity) <= Date.now() ? undefined : found.value
}

async function compare(adapter: EverthreadKeyv, model: Model): Promise<void> {
  const names = [...new Set([...KEYS, ...model.keys()])]
  const values = names.map((name) => valueIn(model, name))
  expect(await adapter.getMany(names)).toEqual(values)
  expect(await adapter.hasMany(names)).toEqual(values.map((each) => each !== undefined))
  const [first = ''] = names
  expect(await adapter.get(first)).toEqual(values[0])
  expect(await adapter.has(first)).toBe(values[0] !== undefined)
  const pairs = new Map<string, unknown>()
  for await (const [name, given] of adapter.iterator()) pairs.set(name, given)
  const shown = names.flatMap((name, i) => (values[i] === undefined ? [] : [[name, values[i]]]))
  expect(pairs).toEqual(new Map(shown as [string, unknown][]))
}

test('the time of Keyv 5 is one from now, and that of Keyv 6 one of the clock', async () => {
  const history = fresh()
  const keyv = new Keyv({ store: new EverthreadKeyv(history), throwOnErrors: true })
  await keyv.set('five', 1, 3_600_000)
  expect(await keyv.setMany([{ key: 'many', value: 2, ttl: 3_600_000 }])).toEqual([true])
  await keyv.set('for ever', 3, Infinity)
  expect(await keyv.getMany(['five', 'many', 'for ever', 'none'])).toEqual([1, 2, 3, undefined])
  const six = new EverthreadKeyv(history)
  expect([six.namespace, six.capabilities.expires]).toEqual([undefined, true])
  await six.set('six', 'value', Date.now() + 3_600_000)
  await six.set('gone', 'value', 3_600_000)
  expect(await six.getMany(['six', 'gone'])).toEqual(['value', undefined])
})

test('what expires is removed from both databases', async () => {
  const history = await openChatHistory(MEMORY)
  onTestFinished(() => history.close())
  const adapter = new EverthreadKeyv(history)
  await adapter.set('a', 1, Date.now() - 3 * 3_600_000)
  await adapter.setMany([{ key: 'b', value: 2, expires: Date.now() - 3 * 3_600_000 }])
  await adapter.set('stays', 3)
  expect(await history.store.removeExpired()).toMatchObject({ values: 2 })
  expect(await adapter.getMany(['a', 'b', 'stays'])).toEqual([undefined, undefined, 3])
})

test('tenants and namespaces do not see each other, and clear touches one of them', async () => {
  const adapters = [fresh(), fresh()].flatMap((history) =>
    ['n', 'n:', undefined].map((namespace) => {
      const adapter = new EverthreadKeyv(history)
      adapter.namespace = namespace
      return adapter
    }),
  )
  for (const [i, adapter] of adapters.entries()) await adapter.set('key', i)
  await adapters[0]!.clear()
  const values = await Promise.all(adapters.map((adapter) => adapter.get('key')))
  expect(values).toEqual([undefined, 1, 2, 3, 4, 5])
  await adapters[0]!.set('key', 'again')
  expect(await adapters[0]!.get('key')).toBe('again')
})

test('values go with their tenant', async () => {
  const [history, others] = [fresh(), fresh()]
  const [adapter, other] = [new EverthreadKeyv(history), new EverthreadKeyv(others)]
  await adapter.set('key', 1)
  await other.set('key', 2)
  await history.eraseTenant(history.tenant)
  expect([await adapter.get('key'), await other.get('key')]).toEqual([undefined, 2])
})

test('more values than a group holds are set, read, walked and cleared', async () => {
  const keyv = new Keyv({ store: new EverthreadKeyv(fresh()), throwOnErrors: true })
  const entries = Array.from({ length: 1_203 }, (_, i) => ({ key: `k${i}`, value: i, ttl: 60_000 }))
  await keyv.setMany(entries)
  await keyv.setMany(['x', 'y', 'z'].map((name) => ({ key: name, value: name.repeat(3_500_000) })))
  expect(await keyv.getMany(entries.map((each) => each.key))).toEqual(
    entries.map((each) => each.value),
  )
  const walked: string[] = []
  for await (const [name] of keyv.iterator!({})) walked.push(String(name))
  expect(walked).toHaveLength(1_206)
  await keyv.clear()
  expect(await keyv.get('k1')).toBeUndefined()
})

test('a value or a key that cannot be kept is refused before anything is written', async () => {
  const adapter = new EverthreadKeyv(fresh())
  const bad = [
    { key: 'good', value: 1 },
    { key: 'bad', value: new Map() },
  ]
  const invalid = { code: 'INVALID_ARGUMENT', effect: 'none' }
  await expect(adapter.setMany(bad)).rejects.toMatchObject(invalid)
  await expect(adapter.set('k'.repeat(1_100), 1)).rejects.toMatchObject(invalid)
  await expect(adapter.get(1 as unknown as string)).rejects.toMatchObject(invalid)
  expect(await adapter.get('good')).toBeUndefined()
  const keyv = new Keyv({ store: new EverthreadKeyv(fresh()) })
  const errors: unknown[] = []
  keyv.on('error', (error) => errors.push(error))
  expect(await keyv.set('k'.repeat(1_100), 1)).toBe(false)
  expect(await keyv.get('k'.repeat(1_100))).toBeUndefined()
  expect(errors).toMatchObject([invalid, invalid])
})

test('after the history was closed calls are errors, and Keyv is told of each once', async () => {
  const history = await openChatHistory(MEMORY)
  const keyv = new Keyv({ store: new EverthreadKeyv(history), throwOnErrors: true })
  const errors: unknown[] = []
  keyv.on('error', (error) => errors.push(error))
  await keyv.set('a', 1)
  await keyv.disconnect()
  expect(await keyv.get('a')).toBe(1)
  await history.close()
  for (const tried of [keyv.get('a'), keyv.set('a', 1), keyv.delete('a'), keyv.clear()]) {
    await expect(tried).rejects.toMatchObject({ code: 'CLOSED' })
  }
  expect(errors).toHaveLength(4)
})
