/*
 * Random programs on ADK's service in memory and on ours: every answer must be the same. Left out is where that one differs
 * from ADK's service for databases, which ours follows: `app:` and `user:` in the state of a new session, a session that is
 * created again, and partial events. `sessions.mjs` has them.
 */
import assert from 'node:assert/strict'
import { createEvent, InMemorySessionService } from '@google/adk'
import { EverthreadSessionService } from 'everthread/adk'
import { Choices, nextMoment, onEachDatabase, TEXTS } from './random.mjs'

const SEEDS = Number(process.argv[2] ?? 20)
const FIRST = Number(process.argv[3] ?? 1)
const STEPS = 40
const APPS = ['app', 'app/2', 'ä%']
const USERS = ['u', 'u/v', '漢 字']
const IDS = ['s1', 's2/..', 's3%2F', '👩‍👩‍👧']
const FIELDS = ['a', 'b', 'app:x', 'app:y', 'user:x', 'user:', 'temp:t', ...TEXTS]

let answers = 0
await onEachDatabase(async (history, kind) => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const choices = new Choices(seed)
    const pair = [
      new InMemorySessionService(),
      new EverthreadSessionService(history.forTenant(`${kind}-${seed}`)),
    ]
    const live = new Map()
    for (let step = 0; step < STEPS; step++) {
      const call = callOf(choices, live)
      const [expected, actual] = await both(pair, call, live)
      answers++
      assert.deepStrictEqual(actual, expected, `${kind}, seed ${seed}, step ${step}: ${call.what}`)
      await nextMoment()
    }
  }
})
console.log(`${answers} answers agree`)

function callOf(choices, live) {
  const place = {
    appName: choices.of(APPS),
    userId: choices.of(USERS),
    sessionId: choices.of(IDS),
  }
  const name = JSON.stringify(place)
  switch (choices.below(10)) {
    case 0:
    case 1: {
      // The one in memory replaces a session by another of its id, and keeps `app:` to the session.
      if (live.has(name)) return getCall(choices, place)
      const state = stateOf(
        choices,
        FIELDS.filter((field) => !/^(app|user):/.test(field)),
      )
      return { what: `create ${name}`, create: { ...place, state } }
    }
    case 2:
      return { what: `delete ${name}`, delete: place }
    case 3:
      return listCall(choices, place)
    case 4:
    case 5:
      return getCall(choices, place)
    default:
      return appendCall(choices, live)
  }
}

function getCall(choices, place) {
  const config = {
    ...(choices.oneIn(2) && { numRecentEvents: choices.below(4) }),
    ...(choices.oneIn(3) && { afterTimestamp: 1_000 + choices.below(40) }),
  }
  return { what: `get ${JSON.stringify({ place, config })}`, get: { ...place, config } }
}

function listCall(choices, { appName, userId }) {
  const limit = choices.oneIn(2) ? choices.below(4) : undefined
  const request = {
    appName,
    ...(choices.oneIn(2) && { userId }),
    ...(limit !== undefined && { limit }),
    ...(choices.oneIn(3) && { offset: choices.below(3) }),
    ...(limit !== undefined && choices.oneIn(3) && { page: 1 + choices.below(3) }),
    order: choices.of(['asc', 'desc']),
  }
  return { what: `list ${JSON.stringify(request)}`, list: request }
}

function appendCall(choices, live) {
  if (live.size === 0) return { what: 'nothing' }
  const place = choices.of([...live.keys()])
  const event = {
    id: choices.oneIn(4)
      ? choices.of(['e1', 'e2', 'x'.repeat(400), 'e\0'])
      : `e${choices.below(1e9)}`,
    invocationId: choices.of(TEXTS),
    author: choices.of(['user', 'agent']),
    ...contentOf(choices),
    ...(choices.oneIn(4) && { longRunningToolIds: ['t1'], branch: 'a.b', output: { n: 1 } }),
    timestamp: 1_000 + choices.below(40),
  }
  const stateDelta = stateOf(choices, FIELDS)
  return {
    what: `append ${place} ${JSON.stringify({ event, stateDelta })}`,
    append: { place, event, stateDelta },
  }
}

function contentOf(choices) {
  const text = choices.of(TEXTS)
  return choices.of([
    {},
    { content: { role: 'user', parts: [{ text }] } },
    {
      content: { role: 'model', parts: [{ functionCall: { id: 'c', name: 'f', args: { text } } }] },
    },
    {
      content: {
        role: 'model',
        parts: [{ text, thought: true }, { inlineData: { data: 'AA==', mimeType: 'image/png' } }],
      },
    },
    { content: { parts: [{ text }] } },
    { content: { role: 'tool', parts: [] } },
    { content: { role: 'user' }, errorCode: 'X', errorMessage: text },
  ])
}

function stateOf(choices, fields) {
  const state = {}
  for (let n = choices.below(4); n > 0; n--) {
    const value = choices.of([
      1,
      null,
      false,
      choices.of(TEXTS),
      [1, { a: null }],
      { deep: { x: [] } },
    ])
    Object.defineProperty(state, choices.of(fields), {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return state
}

/** The same call on both, each with a session object of its own as a runner holds it. */
async function both([memory, ours], call, live) {
  const results = []
  for (const [i, service] of [memory, ours].entries()) {
    if (call.create !== undefined) {
      const session = await service.createSession(structuredClone(call.create))
      const { state: _state, ...place } = call.create
      const name = JSON.stringify(place)
      const sessions = live.get(name) ?? []
      sessions[i] = session
      live.set(name, sessions)
      results.push(shown({ ...session, lastUpdateTime: 0 }))
    } else if (call.delete !== undefined) {
      results.push(await service.deleteSession(call.delete))
    } else if (call.get !== undefined) {
      const session = await service.getSession(call.get)
      const isNew = session?.lastUpdateTime > 1e6
      results.push(shown(session && { ...session, ...(isNew && { lastUpdateTime: 0 }) }))
    } else if (call.list !== undefined) {
      const list = await service.listSessions(call.list)
      results.push(
        shown({ ...list, sessions: list.sessions.map(({ id, userId }) => [userId, id]) }),
      )
    } else if (call.append !== undefined) {
      const { place, event, stateDelta } = structuredClone(call.append)
      const session = live.get(place)[i]
      const made = createEvent({ ...event, actions: { stateDelta } })
      results.push(
        shown([await service.appendEvent({ session, event: made }), session.events, session.state]),
      )
    } else results.push(undefined)
  }
  if (call.delete !== undefined) live.delete(JSON.stringify(call.delete))
  return results
}

/** Without prototypes, symbols and fields that are `undefined`. */
function shown(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}
