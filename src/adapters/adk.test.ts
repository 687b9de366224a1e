// Goal: ADK's sessions keep what runners append, also of several at once, and tell of outages. Method: two services on a pair of
// databases in memory that can fail; ADK's base class is left away. Random programs beside the framework's own service, with
// the true base class, are in test/adapters/adk.
import { expect, test, vi } from 'vitest'
import { adkEvent } from '../../test/support/adk-events.ts'
import { adapterPlaces } from '../../test/support/adapter-places.ts'

vi.mock('@google/adk', async () => await import('../../test/support/adk-base.ts'))

const { EverthreadSessionService } = await import('./adk.ts')
type Service = InstanceType<typeof EverthreadSessionService>

const PLACE = { appName: 'app', userId: 'ann', sessionId: 's' }

async function ids(service: Service, config?: object): Promise<string[] | undefined> {
  const session = await service.getSession({ ...PLACE, ...(config && { config }) })
  return session?.events.map(({ id }) => id)
}

test('two runners with session objects of their own append at once, and nothing is lost', async () => {
  const { history, other } = await adapterPlaces()
  const services = [new EverthreadSessionService(history), new EverthreadSessionService(other)]
  await services[0]!.createSession(PLACE)
  await Promise.all(
    services.map(async (service, runner) => {
      const session = (await service.getSession(PLACE))!
      for (let i = 0; i < 20; i++) {
        const delta = {
          [`field${runner}`]: i,
          'app:all': runner,
          [`user:of${runner}`]: i,
          both: runner,
        }
        await service.appendEvent({ session, event: adkEvent(`${runner}-${i}`, delta) })
      }
    }),
  )
  const session = (await services[1]!.getSession(PLACE))!
  const found = session.events.map(({ id }) => id)
  expect(found).toHaveLength(40)
  for (const runner of [0, 1]) {
    const own = found.filter((id) => id.startsWith(`${runner}-`))
    expect(own).toEqual(Array.from({ length: 20 }, (_, i) => `${runner}-${i}`))
    expect(session.state).toMatchObject({ [`field${runner}`]: 19, [`user:of${runner}`]: 19 })
  }
  // Event and state were written together: the field is that of the last event.
  const last = Number(found.at(-1)!.split('-')[0])
  expect(session.state).toMatchObject({ both: last, 'app:all': last })
})

test('an append reads one item of the session, however long it is', async () => {
  const { history, primary } = await adapterPlaces()
  const service = new EverthreadSessionService(history)
  const session = await service.createSession(PLACE)
  const costs: object[] = []
  for (let i = 0; i < 120; i++) {
    const before = new Map(primary.calls)
    await service.appendEvent({ session, event: adkEvent(`e${i}`, { n: i }) })
    const reads = ['readItems', 'countItems', 'readItemsById', 'listKeys']
    costs.push(reads.map((name) => (primary.calls.get(name) ?? 0) - (before.get(name) ?? 0)))
  }
  expect(costs.at(-1)).toEqual(costs[1])
  expect(costs.at(-1)).toMatchObject([0, 0, expect.any(Number), 0])
})

test('a state that cannot be kept keeps the event out, and the session as it was', async () => {
  const { history } = await adapterPlaces()
  const service = new EverthreadSessionService(history)
  const session = await service.createSession(PLACE)
  const append = service.appendEvent({ session, event: adkEvent('e', { a: 1, b: 1n }) })
  await expect(append).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', effect: 'none' })
  expect(session.events).toEqual([])
  expect(await service.getSession(PLACE)).toMatchObject({ events: [], state: {} })
})

test('events come back as they were, and stand in the history', async () => {
  const { history } = await adapterPlaces()
  const service = new EverthreadSessionService(history)
  const session = await service.createSession({
    ...PLACE,
    state: { 'app:a': 1, 'user:b': 2, 'temp:c': 3, d: 4 },
  })
  expect(session.state).toEqual({ 'app:a': 1, 'user:b': 2, d: 4 })
  const text = 'NUL \0, lone \ud800, 漢字 👩‍👩‍👧'
  const events = [
    adkEvent(
      'a',
      { [text]: text, '': null, __proto: 1 },
      { content: { role: 'model', parts: [{ text }] } },
    ),
    adkEvent('b'.repeat(2_000), {}, { content: { parts: [{ text }] } }),
    adkEvent('c\0', {}, { content: undefined, errorMessage: text }),
    adkEvent(
      'd',
      {},
      {
        content: { role: 'user', parts: [{ functionResponse: { name: 'f', response: { text } } }] },
      },
    ),
  ]
  for (const each of events) await service.appendEvent({ session, event: each })
  await service.appendEvent({ session, event: adkEvent('partial', { a: 1 }, { partial: true }) })
  const read = await service.getSession(PLACE)
  expect(JSON.parse(JSON.stringify(read!.events))).toEqual(JSON.parse(JSON.stringify(events)))
  expect(read!.state).toEqual({ ...session.state, [text]: text, '': null, __proto: 1 })
  const { messages } = await history.getHistory('app/ann/s')
  expect(messages[0]).toMatchObject({ id: 'a', role: 'model', parts: [{ text }] })
  await history.saveMessage('app/ann/s', { id: 'ours', role: 'assistant', content: 'Hello' })
  const last = (await service.getSession({ ...PLACE, config: { numRecentEvents: 1 } }))!.events
  expect(last).toMatchObject([
    { id: 'ours', author: 'model', content: { role: 'model', parts: [{ text: 'Hello' }] } },
  ])
  expect(await service.createSession({ ...PLACE, sessionId: 't' })).toMatchObject({
    state: { 'app:a': 1, 'user:b': 2 },
  })
})

test('a session is created once, deleted for good, and may be created again', async () => {
  const { history, other } = await adapterPlaces()
  const [service, second] = [
    new EverthreadSessionService(history),
    new EverthreadSessionService(other),
  ]
  const created = await Promise.all(
    [1, 2, 3, 4].map((i) => (i % 2 ? service : second).getOrCreateSession(PLACE)),
  )
  expect(new Set(created.map(({ lastUpdateTime }) => lastUpdateTime)).size).toBe(1)
  await expect(service.createSession(PLACE)).rejects.toMatchObject({ code: 'CONFLICT' })
  const session = (await service.getSession(PLACE))!
  await service.appendEvent({ session, event: adkEvent('e', { a: 1, 'user:u': 1 }) })
  await second.deleteSession(PLACE)
  await second.deleteSession(PLACE)
  expect(await service.getSession(PLACE)).toBeUndefined()
  expect(await service.listSessions({ appName: 'app' })).toMatchObject({
    sessions: [],
    totalItems: 0,
  })
  const late = service.appendEvent({ session, event: adkEvent('f') })
  await expect(late).rejects.toMatchObject({ code: 'NOT_FOUND', effect: 'none' })
  const anew = await service.createSession(PLACE)
  expect(anew).toMatchObject({ events: [], state: { 'user:u': 1 } })
  await second.appendEvent({ session: anew, event: adkEvent('e', { a: 2 }) })
  expect(await service.getSession(PLACE)).toMatchObject({ events: [{ id: 'e' }], state: { a: 2 } })
  // Somebody who holds the session of before appends to nothing of this one's that is gone.
  expect(await ids(second)).toEqual(['e'])
})

test('what a deletion left behind is not of the session that comes after it', async () => {
  const { history } = await adapterPlaces()
  const service = new EverthreadSessionService(history)
  const session = await service.createSession(PLACE)
  await service.appendEvent({ session, event: adkEvent('e') })
  const [key] = (await history.store.listKeys({ prefix: 'adapter/0::adk/session/', limit: 1 })).keys
  await history.store.delete(key!)
  expect(await service.createSession(PLACE)).toMatchObject({ events: [] })
  expect(await history.countMessages('app/ann/s')).toBe(0)
})

test('names with slashes are not those of others, and of two tenants each has its own', async () => {
  const { history } = await adapterPlaces()
  const [a, b] = ['a', 'b'].map((tenant) => new EverthreadSessionService(history.forTenant(tenant)))
  const places = [
    { appName: 'x/y', userId: 'z', sessionId: 's' },
    { appName: 'x', userId: 'y/z', sessionId: 's' },
    { appName: 'x%2Fy', userId: 'z', sessionId: 's' },
  ]
  for (const place of places)
    await a!.createSession({ ...place, state: { 'app:of': place.appName } })
  for (const place of places) {
    expect((await a!.getSession(place))!.state).toEqual({ 'app:of': place.appName })
    expect(await b!.getSession(place)).toBeUndefined()
  }
  expect((await a!.listSessions({ appName: 'x' })).sessions).toMatchObject([{ userId: 'y/z' }])
  await history.forTenant('a').eraseTenant('a')
  for (const place of places) expect(await a!.getSession(place)).toBeUndefined()
  expect((await a!.createSession(places[0]!)).state).toEqual({})
})

test('an outage is an error with its effect, or the answer of the backup', async () => {
  const { history, primary, backup } = await adapterPlaces()
  const service = new EverthreadSessionService(history)
  const session = await service.createSession(PLACE)
  await service.appendEvent({ session, event: adkEvent('e', { a: 1 }) })
  await history.flush()
  primary.setMode('refused')
  expect(await service.getSession(PLACE)).toMatchObject({ events: [{ id: 'e' }], state: { a: 1 } })
  await service.appendEvent({ session, event: adkEvent('f', { a: 2 }) })
  expect(await ids(service)).toEqual(['e', 'f'])
  backup.setMode('refused')
  const calls = [
    service.getSession(PLACE),
    service.getOrCreateSession(PLACE),
    service.listSessions({ appName: 'app' }),
    service.appendEvent({ session, event: adkEvent('g') }),
  ]
  for (const call of await Promise.allSettled(calls)) {
    expect(call).toMatchObject({
      reason: { name: 'StorageError', code: 'UNAVAILABLE', effect: 'none' },
    })
  }
  expect(session.events.map(({ id }) => id)).toEqual(['e', 'f'])
  primary.setMode('up')
  backup.setMode('up')
  await vi.waitFor(async () => expect(await ids(service)).toEqual(['e', 'f']), 30_000)
})

test('a session that is deleted while an event is on its way does not get it', async () => {
  const { history, other } = await adapterPlaces()
  const service = new EverthreadSessionService(history)
  const session = await service.createSession(PLACE)
  const write = history.store.write.bind(history.store)
  vi.spyOn(history.store, 'write').mockImplementationOnce(async (...given) => {
    await new EverthreadSessionService(other).deleteSession(PLACE)
    return await write(...given)
  })
  const append = service.appendEvent({ session, event: adkEvent('e', { 'app:a': 1 }) })
  await expect(append).rejects.toMatchObject({ code: 'NOT_FOUND', effect: 'none' })
  expect(session.events).toEqual([])
  expect(await history.countMessages('app/ann/s')).toBe(0)
  expect(await service.createSession(PLACE)).toMatchObject({ events: [], state: {} })
})
