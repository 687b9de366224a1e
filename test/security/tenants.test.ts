// Goal: nothing of one tenant is ever seen, listed, counted, changed, cleared, erased, kept or
// exported by another one, whatever they and their conversations are called.
// Method: two tenants at a time, of a list with names that an attacker would choose, do random things
// to conversations of the same names in the same databases, cache and log, also with each other's ids,
// cursors and tokens. What each of them finds is compared with what it did itself.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tenantPrefix } from '../../src/chat/keys.ts'
import { exportConversations } from '../../src/cli/transfer/export-conversations.ts'
import { withPlaceSource } from '../../src/cli/transfer/place-source.ts'
import { StoreSource } from '../../src/cli/transfer/store-source.ts'
import type { ConversationSource } from '../../src/cli/transfer/conversation-source.ts'
import { MemoryCache } from '../../src/core.ts'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { hasRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix } from '../support/redis-stream-wal.ts'
import { replicaEngines } from '../support/replica-engines.ts'
import { HOSTILE_NAMES } from './names.ts'

const RUNS = 8
const STEPS_MAX = 25
const KEPT = 4
const SECRET = 'sixteen bytes at least'

/** Each is a part, a beginning, a pattern or a spelling of another one. */
const TENANTS = ['', 'a', 'a:b', '1', '1:a', 'tenant', 'tenant_', 'tenant%', 'tenantX'].concat(
  ['__proto__', '{tag}', "'; DROP TABLE everthread_items; --", 'name\nwith\r\nlines'],
  '../../escape',
)
/** Some look like keys of another tenant's conversations. */
const CONVERSATIONS = HOSTILE_NAMES.concat(
  ['b:c', ':', 'x', '1:a:x'],
  ['a', 'tenant'].map((tenant) => `${tenantPrefix(tenant)}x`),
)

const OWN_KINDS = ['save two', 'save own id', 'update', 'remove', 'clear', 'retain'] as const
const ERASING_KINDS = ['erase', 'erase tenant'] as const
const FOREIGN_KINDS = ['foreign id', 'foreign cursor', 'foreign token'] as const
const kinds = fc.oneof(
  { weight: 4, arbitrary: fc.constant('save' as const) },
  { weight: 6, arbitrary: fc.constantFrom(...OWN_KINDS) },
  { weight: 2, arbitrary: fc.constantFrom(...ERASING_KINDS) },
  { weight: 3, arbitrary: fc.constantFrom(...FOREIGN_KINDS) },
)
type Foreign = (typeof FOREIGN_KINDS)[number]

interface Step {
  readonly who: 0 | 1
  readonly kind: 'save' | (typeof OWN_KINDS | typeof ERASING_KINDS)[number] | Foreign
  readonly conversation: number
  readonly pick: number
}

const steps = fc.array(
  fc.record<Step>({
    who: fc.constantFrom(0, 1),
    kind: kinds,
    conversation: fc.nat(2),
    pick: fc.nat(100),
  }),
  { minLength: 5, maxLength: STEPS_MAX },
)

interface Saved {
  readonly id: string
  readonly content: string
}

let contents = 0

/** A tenant, and what it knows to have done. */
class Tenant {
  readonly name: string
  readonly history: ChatHistory
  readonly saved = new Map<string, Saved[]>()
  readonly erasures = new Set<string>()
  token: string | undefined

  constructor(name: string, history: ChatHistory) {
    this.name = name
    this.history = history
  }

  of(conversation: string): readonly Saved[] {
    return this.saved.get(conversation) ?? []
  }

  async save(conversation: string, ids: readonly (string | undefined)[]): Promise<void> {
    const messages = ids.map((id) => ({
      role: 'user' as const,
      content: `${contents++} of ${this.name}`,
      ...(id !== undefined && { id }),
    }))
    const receipts = await this.history.saveMessages(conversation, messages)
    const saved = receipts.map(({ id }, i) => ({ id, content: messages[i]!.content }))
    this.saved.set(conversation, [...this.of(conversation), ...saved])
    this.token = receipts.at(-1)!.session
  }

  replace(conversation: string, saved: readonly Saved[]): void {
    if (saved.length === 0) this.saved.delete(conversation)
    else this.saved.set(conversation, [...saved])
  }
}

interface Setting {
  readonly name: string
  readonly open: () => Promise<ReplicaBackend>
  readonly wal: () => string
}

let log: RedisServer | undefined
const engines = replicaEngines(postgresUrl)
const settings: readonly Setting[] = [
  ...engines.map(({ name, open }) => ({ name, open, wal: () => 'memory:' })),
  ...(hasRedis ? [{ ...engines[0]!, name: 'one log in Redis', wal: sharedLog }] : []),
]

function sharedLog(): string {
  return `redis-stream://127.0.0.1:${log!.port}/0?keyPrefix=${freshPrefix()}`
}

describe.each(settings)('tenants who share databases, a cache and a log: $name', (setting) => {
  const tenants: Tenant[] = []
  const databases: ReplicaBackend[] = []

  beforeAll(async () => {
    if (setting.wal === sharedLog) log = await startRedis({ appendonly: 'no' })
    const [primary, backup] = [await setting.open(), await setting.open()]
    databases.push(primary, backup)
    const wal = setting.wal()
    const cache = new MemoryCache({})
    for (const name of TENANTS) {
      const history = await openChatHistory({
        primary: shared(primary),
        backup: shared(backup),
        wal,
        cache,
        // No two of them write to the same conversations.
        read: { type: 'cache-enhanced', config: { singleProcess: true } },
        reconcile: false,
        retention: { maxMessages: KEPT, interval: 86_400_000 },
        sessionSecret: SECRET,
        tenant: name,
      })
      tenants.push(new Tenant(name, history))
    }
  }, 60_000)
  afterAll(async () => {
    await Promise.all(tenants.map(({ history }) => history.close()))
    await Promise.all(databases.map((database) => database.disconnect()))
    await log?.stop()
    log = undefined
  })

  test('find what is their own, and nothing else', { timeout: 300_000 }, async () => {
    const names = fc.uniqueArray(fc.constantFrom(...CONVERSATIONS), { minLength: 3, maxLength: 3 })
    const pair = fc.uniqueArray(fc.nat(TENANTS.length - 1), { minLength: 2, maxLength: 2 })
    await fc.assert(
      fc.asyncProperty(pair, names, steps, async ([one, other], conversations, list) => {
        const both = [tenants[one!]!, tenants[other!]!] as const
        for (const step of list) {
          const conversation = conversations[step.conversation]!
          await take(step, both[step.who], both[1 - step.who]!, conversation)
          for (const tenant of both) await findsItsOwn(tenant, [conversation])
        }
        for (const tenant of both) {
          await findsItsOwn(tenant, conversations)
          await exportsItsOwn(tenant, databases)
        }
      }),
      // What was done stays: a shorter list of steps would begin elsewhere.
      { numRuns: RUNS, endOnFailure: true },
    )
    for (const tenant of tenants) await findsItsOwn(tenant, CONVERSATIONS)
  })
})

async function take(
  { kind, pick }: Step,
  tenant: Tenant,
  other: Tenant,
  conversation: string,
): Promise<void> {
  const { history } = tenant
  const own = tenant.of(conversation)
  const message = own[pick % Math.max(1, own.length)]
  switch (kind) {
    case 'save':
      return await tenant.save(conversation, [undefined])
    case 'save two':
      return await tenant.save(conversation, [undefined, undefined])
    case 'save own id': {
      // The other one may have it, with another content.
      const theirs = other.of(conversation).find(({ id }) => !own.some((saved) => saved.id === id))
      return await tenant.save(conversation, [theirs?.id ?? `id ${contents}`])
    }
    case 'update': {
      if (message === undefined) return
      const content = `${contents++} of ${tenant.name}`
      await history.updateMessage(conversation, message.id, { role: 'user', content })
      const changed = { id: message.id, content }
      return tenant.replace(
        conversation,
        own.map((saved) => (saved === message ? changed : saved)),
      )
    }
    case 'remove': {
      // Another one's id that was removed here could not be saved here again.
      if (message === undefined || other.of(conversation).some(({ id }) => id === message.id))
        return
      await history.deleteMessage(conversation, message.id)
      return tenant.replace(
        conversation,
        own.filter((saved) => saved !== message),
      )
    }
    case 'clear':
      await history.clearHistory(conversation)
      return tenant.replace(conversation, [])
    case 'erase': {
      const { id } = await history.eraseConversation(conversation, { deadlineMs: 1 })
      tenant.erasures.add(id)
      return tenant.replace(conversation, [])
    }
    case 'erase tenant': {
      await expect(history.eraseTenant(other.name)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        effect: 'none',
      })
      if (tenant.name === '') return
      const { id } = await history.eraseTenant(tenant.name, { deadlineMs: 1 })
      tenant.erasures.add(id)
      return tenant.saved.clear()
    }
    case 'retain':
      await history.applyRetention()
      for (const [name, saved] of tenant.saved) tenant.replace(name, saved.slice(-KEPT))
      return
    default:
      return await reachForForeign(kind, tenant, other, conversation)
  }
}

/** Ids, cursors and tokens of the other one are worth nothing. */
async function reachForForeign(
  kind: Foreign,
  { history, saved }: Tenant,
  other: Tenant,
  conversation: string,
): Promise<void> {
  const own = saved.get(conversation) ?? []
  if (kind === 'foreign token') {
    if (other.token === undefined) return
    const read = history.getHistory(conversation, { session: other.token })
    await expect(read).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    return
  }
  if (kind === 'foreign cursor') {
    const { nextCursor } = await other.history.getHistory(conversation, { limit: 1 })
    if (nextCursor === undefined) return
    for (const options of [{ before: nextCursor }, { after: nextCursor }]) {
      const { messages } = await history.getHistory(conversation, options)
      const known = new Set(own.map(({ content }) => content))
      expect(messages.filter(({ content }) => !known.has(content as string))).toEqual([])
    }
    return
  }
  const foreign = other.of(conversation).find(({ id }) => !own.some((mine) => mine.id === id))
  if (foreign === undefined) return
  expect(await history.getMessage(conversation, foreign.id)).toBeUndefined()
  const refused = { code: expect.stringMatching(/^(NOT_FOUND|UNAVAILABLE)$/) as string }
  const changed = { role: 'user', content: 'taken over' } as const
  await expect(history.updateMessage(conversation, foreign.id, changed)).rejects.toMatchObject(
    refused,
  )
  await expect(history.deleteMessage(conversation, foreign.id)).rejects.toMatchObject(refused)
}

async function findsItsOwn(tenant: Tenant, conversations: readonly string[]): Promise<void> {
  const { history, saved, erasures, name } = tenant
  for (const conversation of conversations) {
    const own = tenant.of(conversation)
    const { messages } = await history.getHistory(conversation, { limit: 1_000 })
    const found = messages.map(({ id, content }) => ({ id, content }))
    expect(found, `${conversation} of ${name}`).toEqual(own)
    expect(await history.countMessages(conversation)).toBe(own.length)
  }
  const page = await history.listConversations({ limit: 1_000 })
  const listed = page.conversations.map(({ conversationId }) => conversationId)
  expect(listed.sort(), `conversations of ${name}`).toEqual([...saved.keys()].sort())
  const done = await history.listErasures()
  expect(done.filter(({ id }) => !erasures.has(id))).toEqual([])
}

/** The whole store, and each database alone. */
async function exportsItsOwn(
  { history, name: tenant, saved }: Tenant,
  databases: readonly ReplicaBackend[],
): Promise<void> {
  const expected = new Map([...saved].map(([id, list]) => [id, list.map(({ content }) => content)]))
  const source = new StoreSource({ history, tenant, retry: (action) => action() })
  expect(await exported(source)).toEqual(expected)
  await history.flush()
  for (const [i, place] of (['primary', 'backup'] as const).entries()) {
    const database = shared(databases[i]!)
    const found = await withPlaceSource({ place, database, tenant }, exported)
    expect(found, `${place} of ${tenant}`).toEqual(expected)
  }
}

async function exported(source: ConversationSource): Promise<Map<string, string[]>> {
  let text = ''
  await exportConversations({
    source,
    conversations: [],
    format: 'openai',
    write: async (more) => void (text += more),
    signal: new AbortController().signal,
    onProgress: () => {},
  })
  const lines = text.split('\n').filter((line) => line !== '')
  return new Map(
    lines.map((line) => {
      const { conversationId, messages } = JSON.parse(line) as {
        readonly conversationId: string
        readonly messages: readonly { readonly content: string }[]
      }
      return [conversationId, messages.map(({ content }) => content)]
    }),
  )
}

/** The same database for several stores: none of them may disconnect it. */
function shared(backend: ReplicaBackend): ReplicaBackend {
  return new Proxy(backend, {
    get(target, name) {
      if (name === 'connect' || name === 'disconnect') return async () => {}
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
