// Goal: transcripts are whole on every database, whoever appends, and an outage is never taken for a session that is not there.
// Method: two stores that append at once; servers that are killed.
import { expect, test } from 'vitest'
import { EverthreadSessionStore, type ClaudeSessionEntry } from '../../src/adapters/claude-agent.ts'
import { open, optionsOf, ownRedis, primaries } from '../support/adapter-rig.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { describeRedis } from '../support/redis-server.ts'

const KEY = { projectKey: 'project', sessionId: 'session' }
const SUB = { ...KEY, subpath: 'subagents/agent-1' }

function entries(name: string, count: number): ClaudeSessionEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const content = `${name} ${i} \0 \ud800 😀`
    return { type: 'user', uuid: `${name}-${i}`, message: { role: 'user', content } }
  })
}

test.each(primaries(postgresUrl))(
  'on %s two stores that append and repeat lose nothing',
  async (_name, primaryOf) => {
    const primary = await primaryOf()
    const options = [await optionsOf(primary), await optionsOf(primary)] as const
    const histories = [
      await open(options[0]),
      await open({ ...options[1], backup: options[0].backup! }),
    ] as const
    const [one, two] = histories.map((history) => new EverthreadSessionStore(history))
    const [mine, theirs] = [entries('a', 12), entries('b', 12)]
    await Promise.all([
      ...mine.map((entry) => one!.append(KEY, [entry])),
      ...theirs.map((entry) => two!.append(KEY, [entry])),
      one!.append(SUB, mine),
      two!.append(SUB, mine),
    ])
    // As the SDK does after an answer that was lost.
    await two!.append(KEY, mine)
    const found = (await one!.load(KEY))!
    expect(found.filter(({ uuid }) => uuid!.startsWith('a'))).toEqual(mine)
    expect(found.filter(({ uuid }) => uuid!.startsWith('b'))).toEqual(theirs)
    expect(await two!.load(KEY)).toEqual(found)
    expect(await two!.load(SUB)).toEqual(mine)
    expect(await two!.listSubkeys(KEY)).toEqual([SUB.subpath])
    await one!.delete(KEY)
    expect([await two!.load(KEY), await two!.load(SUB)]).toEqual([null, null])
    expect(await two!.listSessions(KEY.projectKey)).toEqual([])
  },
)

describeRedis('while servers are killed', () => {
  test('the backup answers, and when it is out as well every call is an error', async () => {
    const [primary, backup] = [await ownRedis(), await ownRedis()]
    const history = await open(await optionsOf(primary.url, backup.url))
    const store = new EverthreadSessionStore(history)
    const [before, during] = [entries('a', 3), entries('b', 3)]
    await store.append(KEY, before)
    await history.flush()
    await primary.kill()
    await store.append(KEY, during)
    expect(await store.load(KEY)).toEqual([...before, ...during])
    expect(await store.listSessions(KEY.projectKey)).toMatchObject([{ sessionId: KEY.sessionId }])
    await backup.kill()
    const calls = [
      store.load(KEY),
      store.load({ ...KEY, sessionId: 'another' }),
      store.listSessions(KEY.projectKey),
      store.listSubkeys(KEY),
      store.delete(KEY),
    ]
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({
        status: 'rejected',
        reason: {
          code: expect.stringMatching(/^(?:UNAVAILABLE|TIMEOUT)$/),
          effect: expect.stringMatching(/^(?:none|unknown)$/),
        },
      })
    }
    await Promise.all([primary.restart(), backup.restart()])
    await expect.poll(() => store.load(KEY).catch(() => undefined)).toEqual([...before, ...during])
  })
})
