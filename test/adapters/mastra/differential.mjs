// Random programs on Mastra's in-memory store and on ours: every answer must be the same.
// node differential.mjs FIRST_SEED PROGRAMS [CONNECTION_STRING]
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { InMemoryDB, InMemoryMemory } from '@mastra/core/storage'
import { openChatHistory } from 'everthread'
import { EverthreadMemory } from 'everthread/mastra'

const STEPS = 40
const [first = '1', programs = '20', primary = 'memory:'] = process.argv.slice(2)

const history = await openChatHistory({ primary, backup: 'memory:', wal: 'memory:' })
let answers = 0
try {
  for (let seed = Number(first); seed < Number(first) + Number(programs); seed++) {
    await runProgram(seed)
  }
} finally {
  await history.close()
}
console.log(`${programs} programs, ${answers} answers, none differ`)

async function runProgram(seed) {
  const { chance, of, int } = randomOf(seed)
  const reference = new InMemoryMemory({ db: new InMemoryDB() })
  const ours = new EverthreadMemory(history.forTenant(`${process.pid}-${seed}`))
  const log = []
  const base = Date.parse('2026-01-01T00:00:00Z')
  let ticks = 0
  /** Mostly later than all before, and never the same twice. */
  const time = () => new Date(base + (++ticks + (chance(0.1) ? -40 : 0)) * 1_000 + ticks)
  const resources = ['r0', 'r1', 'r2']
  /** What this program knows: threads and their resource, and messages and their thread. */
  const threads = new Map()
  const messages = new Map()
  const left = new Set()
  let ids = 0

  async function both(name, args, show = (answer) => answer) {
    log.push(`${name} ${JSON.stringify(args)}`)
    const wanted = await settled(() => reference[name](structuredClone(args)))
    const got = await settled(() => ours[name](structuredClone(args)))
    answers++
    assert.equal(got.error === undefined, wanted.error === undefined, got.error ?? wanted.error)
    if (wanted.error === undefined) same(show(got.answer), show(wanted.answer))
    return [got.answer, wanted.answer]
  }

  const text = () => of(['Hello', '', 'NUL \0', 'half \ud83d', '😀 日本語', '__proto__'])
  const metadata = () => {
    const values = [null, 1, 'a', true, { deep: [null, { x: 1 }] }, '']
    const fields = ['a', 'b', 'c'].filter(() => chance(0.5)).map((name) => [name, of(values)])
    return Object.fromEntries(fields)
  }
  const content = () => ({
    format: 2,
    parts: [{ type: 'text', text: text() }, ...(chance(0.3) ? [{ type: 'step-start' }] : [])],
    ...(chance(0.3) && { content: text() }),
    ...(chance(0.5) && { metadata: metadata() }),
  })
  const someMessages = (count) => {
    const known = [...messages.keys()]
    return Array.from({ length: count }, () =>
      known.length > 0 && chance(0.9) ? of(known) : 'none',
    )
  }
  const anyThread = () => (threads.size > 0 && chance(0.95) ? of([...threads.keys()]) : 'none')

  const steps = {
    async saveThread() {
      const id = `t${int(5)}`
      const { resourceId = of(resources), createdAt = time() } = threads.get(id) ?? {}
      const title = chance(0.3) ? undefined : text()
      const thread = {
        id,
        resourceId,
        title,
        metadata: metadata(),
        createdAt,
        updatedAt: new Date(),
      }
      threads.set(id, { resourceId, createdAt })
      await both('saveThread', { thread }, threadOf)
    },
    async updateThread() {
      const change = {
        ...(chance(0.5) && { title: text() }),
        ...(chance(0.7) && { metadata: metadata() }),
      }
      await both('updateThread', { id: anyThread(), ...change }, threadOf)
    },
    async deleteThread() {
      const threadId = anyThread()
      await both('deleteThread', { threadId })
      threads.delete(threadId)
      for (const [id, thread] of messages) if (thread === threadId) messages.delete(id)
      for (const gone of left) if (gone.startsWith(`${threadId} `)) left.delete(gone)
    },
    async saveMessages() {
      const threadId = anyThread()
      const known = [...messages].filter(([, thread]) => thread === threadId).map(([id]) => id)
      const batch = Array.from({ length: 1 + int(4) }, () => {
        const id = known.length > 0 && chance(0.2) ? of(known) : `m${ids++}`
        const { resourceId = 'r0' } = threads.get(threadId) ?? {}
        const role = of(['user', 'assistant', 'system', 'signal'])
        return {
          id,
          threadId,
          role,
          type: of(['text', 'v2']),
          content: content(),
          createdAt: time(),
          resourceId: chance(0.03) ? of(resources) : resourceId,
        }
      })
      const unique = [...new Map(batch.map((message) => [message.id, message])).values()]
      if (!threads.has(threadId)) {
        // As in Mastra's stores on databases: the one in memory takes them.
        await assert.rejects(ours.saveMessages({ messages: unique }), { code: 'NOT_FOUND' })
        return
      }
      await both('saveMessages', { messages: unique }, () => true)
      for (const { id } of unique) messages.set(id, threadId)
    },
    async saveElsewhere() {
      const [id] = someMessages(1)
      const threadId = anyThread()
      if (id === 'none' || !threads.has(threadId) || messages.get(id) === threadId) return
      const message = { id, threadId, role: 'user', content: content(), createdAt: time() }
      await assert.rejects(ours.saveMessages({ messages: [message] }), { code: 'CONFLICT' })
    },
    async updateMessages() {
      const changes = [...new Set(someMessages(1 + int(2)))].map((id) => ({
        id,
        ...(chance(0.3) && { role: of(['user', 'assistant']) }),
        ...(chance(0.2) && { type: 'text' }),
        ...(chance(0.5) && { content: { metadata: metadata() } }),
        ...(chance(0.3) && { content: { parts: [{ type: 'text', text: text() }] } }),
        ...moveOf(id),
      }))
      await both('updateMessages', { messages: changes }, (list) => list.map(({ id }) => id).sort())
      const touched = changes.flatMap(({ id, threadId }) => [messages.get(id), threadId])
      for (const { id, threadId } of changes) {
        if (threadId === undefined) continue
        left.add(`${messages.get(id)} ${id}`)
        messages.set(id, threadId)
      }
      await inTurn(touched)
    },
    async deleteMessages() {
      const gone = someMessages(1 + int(3))
      await both('deleteMessages', gone)
      await inTurn(gone.map((id) => messages.get(id)))
      for (const id of gone) messages.delete(id)
    },
    async updateThreadResourceId() {
      const change = { threadId: anyThread(), resourceId: of(resources) }
      await both('updateThreadResourceId', change, threadOf)
      // The store in memory adds a millisecond for each message.
      await pause(60)
      const thread = threads.get(change.threadId)
      if (thread !== undefined)
        threads.set(change.threadId, { ...thread, resourceId: change.resourceId })
    },
    async copyThread() {
      const messageFilter = {
        ...(chance(0.3) && { startDate: new Date(base + int(ticks + 1) * 1_000) }),
        ...(chance(0.3) && { endDate: new Date(base + int(ticks + 1) * 1_000) }),
        ...(chance(0.2) && { messageIds: someMessages(3) }),
      }
      const options = { ...(chance(0.3) && { messageLimit: 1 + int(5) }), messageFilter }
      const given = {
        ...(chance(0.3) && { resourceId: of(resources) }),
        ...(chance(0.3) && { title: text() }),
      }
      await both(
        'cloneThread',
        { sourceThreadId: anyThread(), newThreadId: 'copy', ...given, options },
        clone,
      )
      await both('deleteThread', { threadId: 'copy' })
    },
    async resources() {
      const resourceId = of(resources)
      const change = {
        ...(chance(0.5) && { workingMemory: text() }),
        ...(chance(0.5) && { metadata: metadata() }),
      }
      const now = new Date()
      const resource = {
        id: resourceId,
        workingMemory: text(),
        metadata: metadata(),
        createdAt: now,
        updatedAt: now,
      }
      if (chance(0.2)) await both('saveResource', { resource }, resourceOf)
      else await both('updateResource', { resourceId, ...change }, resourceOf)
      await both('getResourceById', { resourceId: of(resources) }, resourceOf)
    },
  }

  /** A message that goes into another thread, which it never was in. */
  function moveOf(id) {
    const threadId = anyThread()
    const isNew = !left.has(`${threadId} ${id}`) && messages.get(id) !== threadId
    return isNew && threads.has(threadId) && chance(0.1) ? { threadId } : {}
  }

  /** Mastra's answer lacks the system messages, and joins messages that follow each other. */
  async function byId(messageIds) {
    const all = { threadId: ['none', ...threads.keys()], perPage: false }
    const { messages: known } = await reference.listMessages(all)
    const { messages: found } = await ours.listMessagesById({ messageIds })
    answers++
    same(
      found,
      known.filter(({ id }) => messageIds.includes(id)),
    )
  }

  /** Which of several threads was changed last is told by less than a millisecond: it is made plain. */
  async function inTurn(threadIds) {
    for (const id of new Set(threadIds)) {
      await pause(3)
      if (threads.has(id)) await both('updateThread', { id }, threadOf)
    }
  }

  async function look() {
    const page = { ...(chance(0.5) && { perPage: of([0, 1, 2, 5, false]) }) }
    if (page.perPage !== false && chance(0.3)) page.page = int(3)
    const direction = of(['ASC', 'DESC'])
    const resource = chance(0.5) ? { resourceId: of(resources) } : {}
    const field = of(['createdAt', 'updatedAt'])
    const filter = { ...resource, ...(chance(0.3) && { metadata: metadata() }) }
    await both('listThreads', { ...page, filter, orderBy: { field, direction } }, pageOf)
    await both('getThreadById', { threadId: anyThread(), ...resource }, threadOf)
    await byId(someMessages(3))
    const times = [int(ticks + 2), int(ticks + 2)].sort((a, b) => a - b)
    const [start, end] = times.map((at) => new Date(base + at * 1_000 + at))
    const dateRange = {
      ...(chance(0.6) && { start }),
      ...(chance(0.6) && { end }),
      ...(chance(0.3) && { startExclusive: true, endExclusive: true }),
    }
    const scalars = Object.entries(metadata()).filter(([, value]) => typeof value !== 'object')
    const messageFilter = {
      ...(chance(0.3) && { dateRange }),
      ...(chance(0.2) && { metadata: Object.fromEntries(scalars) }),
    }
    const list = { ...page, filter: messageFilter, orderBy: { field: 'createdAt', direction } }
    const around = someMessages(2).map((id) => ({
      id,
      withPreviousMessages: int(3),
      withNextMessages: int(3),
    }))
    const include = chance(0.3) ? { include: around } : {}
    const threadId = anyThread()
    await both('listMessages', { threadId, ...list, ...resource, ...include }, pageOf)
    await both(
      'listMessages',
      { threadId: [...threads.keys(), 'none'], ...list, ...resource },
      pageOf,
    )
    await both('listMessagesByResourceId', { resourceId: of(resources), ...list }, () => true)
  }

  try {
    for (let step = 0; step < STEPS; step++) {
      const name =
        step < 3 ? 'saveThread' : of([...Object.keys(steps), 'saveMessages', 'saveMessages'])
      await steps[name]()
      // Changes of threads are in the order of the clock.
      await pause(2)
      await look()
    }
  } catch (error) {
    throw new Error(`seed ${seed}: ${error.message}\n${log.slice(-12).join('\n')}`, {
      cause: error,
    })
  }
}

async function settled(call) {
  try {
    return { answer: await call() }
  } catch (error) {
    return { error: String(error) }
  }
}

function same(got, wanted) {
  assert.deepEqual(plain(got), plain(wanted))
}

/** As JSON has it, whose fields have no order. */
function plain(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

function threadOf(thread) {
  if (thread === null) return null
  const { id, title, resourceId, metadata = {}, createdAt } = thread
  return { id, title, resourceId, metadata, createdAt }
}

function resourceOf(resource) {
  if (resource === null) return null
  const { id, workingMemory, metadata } = resource
  return { id, workingMemory, metadata: metadata ?? {} }
}

function pageOf({ threads, ...page }) {
  return threads === undefined ? page : { ...page, threads: threads.map(threadOf) }
}

/** Of a copy what does not change with each. */
function clone({ thread, clonedMessages, messageIdMap }) {
  const { metadata, createdAt: _createdAt, ...rest } = threadOf(thread)
  const { clonedAt: _clonedAt, ...source } = metadata.clone
  const messages = clonedMessages.map(({ id: _id, ...message }) => message)
  return { ...rest, source, messages, ids: Object.keys(messageIdMap).sort() }
}

function randomOf(seed) {
  let state = seed * 2_654_435_761
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const int = (below) => Math.floor(next() * below)
  return { int, chance: (share) => next() < share, of: (values) => values[int(values.length)] }
}
