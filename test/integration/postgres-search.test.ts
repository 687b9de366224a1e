// Goal: the index of PostgreSQL is built while others write, is right whoever writes and in whatever order, and
// needs no more than its owner's rights. Method: several backends on one schema, SQL past them, a role of its own.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { expect, test } from 'vitest'
import type { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { itemValue } from '../../src/core/merge.ts'
import { numbersOfSearch } from '../../src/core/search/search-numbers.ts'
import { parseSearch } from '../../src/core/search/search-terms.ts'
import { append, clear, edit, remove, stampAt } from '../../src/testing/backend/operations.ts'
import { collect } from '../../src/testing/backend/context.ts'
import {
  describePostgres,
  freshSchema,
  openPostgres,
  postgresUrl,
} from '../support/postgres-backend.ts'

const SCOPE = { prefix: 'chat/1:t:' }
const KEY = 'chat/1:t:a'

function say(i: number, content: string, key = KEY): ReturnType<typeof append> {
  return append(key, stampAt(i), { role: 'user', content })
}

async function ready(backend: PostgresBackend): Promise<PostgresBackend> {
  await expect.poll(() => backend.getSearch().state, { timeout: 20_000 }).toBe('ready')
  return backend
}

async function found(backend: ReplicaBackend, text: string): Promise<string[]> {
  const numbers = numbersOfSearch(parseSearch(text), SCOPE)
  const page = await backend.search!({ numbers, limit: 1_000 })
  return page.found
    .filter(({ item }) => itemValue(item) !== undefined)
    .map(({ item }) => item.id)
    .reverse()
}

async function sql(text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(postgresUrl)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describePostgres('search in PostgreSQL', () => {
  test('what was there is indexed while others write, edit, remove and clear', async () => {
    const options = freshSchema()
    const plain = await openPostgres(options)
    const old = Array.from({ length: 1_200 }, (_, i) => say(i, `old ${i}`, `chat/1:t:${i % 5}`))
    await plain.apply(old)
    const [one, two] = await Promise.all([
      openPostgres({ ...options, search: true }),
      openPostgres({ ...options, search: true }),
    ])
    await expect(plain.search({ numbers: [1], limit: 1 })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    const changes = Array.from({ length: 200 }, async (_, i) => {
      const { key, id, position } = old[i * 5 + 1]!
      if (i % 3 === 0) await plain.apply([remove(key, id, position, stampAt(5_000 + i))])
      else {
        const value = { role: 'user', content: `new ${i}` }
        await plain.apply([edit(key, id, position, stampAt(5_000 + i), value)])
      }
    })
    await Promise.all([...changes, plain.apply([clear('chat/1:t:2', stampAt(4_000))])])
    for (const backend of [one, two]) {
      await ready(backend)
      expect(await found(backend, 'old')).toHaveLength(1_200 - 200 - 240)
      expect(await found(backend, 'new')).toHaveLength(200 - 67)
      expect(await collect(backend.checkParts())).toEqual([])
    }
  })

  test('many at once write, search and index the same items, and it ends as they stand', async () => {
    const options = { ...freshSchema(), search: true }
    const backends = await Promise.all([1, 2, 3].map(() => openPostgres(options)))
    const ids = Array.from({ length: 60 }, (_, i) => i)
    await Promise.all(
      backends.flatMap((backend, writer) =>
        ids.map(async (i) => {
          await backend.apply([say(i, 'alpha')])
          const value = { role: 'user', content: writer === i % 3 ? 'beta' : 'gamma' }
          const at = stampAt(1_000 + i, writer === i % 3 ? 9 : writer)
          await backend.apply([edit(KEY, stampAt(i), stampAt(i), at, value)])
          if (i % 10 === 0) await found(backend, 'beta')
        }),
      ),
    )
    for (const backend of backends) {
      expect(await found(backend, 'beta')).toHaveLength(60)
      expect(await found(backend, 'gamma')).toEqual([])
      expect(await found(backend, 'alpha')).toEqual([])
    }
  })

  test('rows and triggers that somebody else removed are noticed, and made anew', async () => {
    const options = freshSchema()
    const backend = await openPostgres({ ...options, search: true })
    await backend.apply([say(1, 'alpha'), say(2, 'alpha')])
    expect(await found(backend, 'alpha')).toHaveLength(2)
    const name = (what: string): string => `"${options.schema}"."everthread_${what}"`
    await sql(`DELETE FROM ${name('search')}`)
    const parts = await collect(backend.checkParts())
    expect(parts).toEqual([{ name: name('search'), key: KEY }])
    await backend.mendParts()
    await ready(backend)
    expect(await found(backend, 'alpha')).toHaveLength(2)
    await sql(`DROP TRIGGER "everthread_search_added" ON ${name('items')}`)
    await backend.apply([say(3, 'alpha')])
    expect(await found(backend, 'alpha')).toHaveLength(2)
    expect(await collect(backend.checkParts())).toContainEqual({ name: name('search') })
    await backend.mendParts()
    await ready(backend)
    expect(await found(backend, 'alpha')).toHaveLength(3)
  })

  test('a role without rights beyond its schema can have one, and a URL can ask for it', async () => {
    const role = `r${randomBytes(4).toString('hex')}`
    await sql(`CREATE ROLE ${role} LOGIN; CREATE SCHEMA ${role} AUTHORIZATION ${role}`)
    const url = new URL(postgresUrl!)
    url.username = role
    url.searchParams.set('search', 'true')
    const backend = await openPostgres({ url: url.href, schema: role })
    await backend.apply([say(1, 'alpha')])
    expect(await found(backend, 'alpha')).toHaveLength(1)
    await backend.maintenance()
  })

  test('with migrate: never an index is made by migrate() only, which waits until it is built', async () => {
    const options = freshSchema()
    const plain = await openPostgres(options)
    await plain.apply(Array.from({ length: 700 }, (_, i) => say(i, 'alpha')))
    const strict = { ...options, migrate: 'never', search: true } as const
    await expect(openPostgres(strict)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('run migrate()'),
    })
    const migrating = await openPostgres({ ...options, migrate: 'never' })
    await migrating.disconnect()
    const making = await openPostgres({ ...options, search: true })
    await making.migrate()
    expect(making.getSearch()).toEqual({ state: 'ready' })
    await making.disconnect()
    const later = await openPostgres(strict)
    expect(await found(later, 'alpha')).toHaveLength(700)
  })

  test('there is no word in the tables of the index', async () => {
    const options = freshSchema()
    const backend = await openPostgres({ ...options, search: true })
    await backend.apply([say(1, 'canary')])
    expect(await found(backend, 'canary')).toHaveLength(1)
    const rows = await sql(`SELECT s::text FROM "${options.schema}".everthread_search s`)
    expect(JSON.stringify(rows)).not.toContain('canary')
    await backend.apply([clear(KEY, stampAt(2))])
    expect(await found(backend, 'canary')).toEqual([])
    expect(await sql(`SELECT 1 FROM "${options.schema}".everthread_search`)).toEqual([])
  })
})
