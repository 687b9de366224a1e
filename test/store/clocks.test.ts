// Goal: no clock that is wrong decides what is deleted, or drags stamps into a future that lasts.
// Method: stores in memory, whose servers' clocks and whose own clock are set off by 400 days.
import { expect, onTestFinished, test } from 'vitest'
import {
  openChatHistory,
  type ChatHistory,
  type ChatHistoryOptions,
  type StoreEvents,
} from '../../src/index.ts'
import { stampMs } from '../../src/core/stamp.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend } from '../../src/testing/faulty-backend.ts'
import { shiftedClock, type ShiftedClock } from '../support/shifted-clock.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'

const DAY = 86_400_000
const FAR = 400 * DAY
const RETENTION = { maxAge: 30 * DAY, interval: 10_000 }

function rig() {
  const lines: string[] = []
  const log = (_fields: object, text: string): void => void lines.push(text)
  const logger = { debug: () => {}, info: log, warn: log, error: log }
  const env = virtualEnv({ logger })
  const clocks: Record<'primary' | 'backup', ShiftedClock> = {
    primary: { ms: 0 },
    backup: { ms: 0 },
  }
  const primary = faultyBackend(shiftedClock(new DurableMemoryBackend(env), clocks.primary))
  const backup = faultyBackend(shiftedClock(new DurableMemoryBackend(env), clocks.backup))
  const events: StoreEvents['clock-disagrees'][] = []
  const open = async (options: ChatHistoryOptions = {}): Promise<ChatHistory> => {
    const given = { env, primary, backup, wal: 'memory:', ...options } as const
    const history = await env.drive(openChatHistory(given))
    history.on('clock-disagrees', (event) => events.push(event))
    onTestFinished(() => env.drive(history.close()))
    return history
  }
  const say = async (history: ChatHistory, content: string, id = 'c') =>
    await env.drive(history.saveMessage(id, { role: 'user', content }))
  const contents = async (history: ChatHistory, id = 'c') =>
    (await env.drive(history.getHistory(id))).messages.map(({ content }) => content)
  return { env, clocks, primary, backup, open, say, contents, events, lines }
}

/** How far a message's stamp is from the true time. */
function aheadMs({ position }: { readonly position: string }, trueMs: number): number {
  return stampMs(position as never) - trueMs
}

for (const place of ['primary', 'backup'] as const) {
  test(`a clock of the ${place} that is far ahead removes no message and moves no stamp`, async () => {
    const { env, clocks, open, say, contents, events } = rig()
    clocks[place].ms = FAR
    const history = await open({ retention: RETENTION })
    const saved = await say(history, 'young')
    expect(Math.abs(aheadMs(saved, env.now()))).toBeLessThan(60_000)
    await expect(env.drive(history.applyRetention())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`the ${place}'s is ${FAR} ms ahead`),
    })
    await env.advance(60_000)
    expect(await contents(history)).toEqual(['young'])
    expect(events[0]).toEqual({ place, aheadMs: FAR })
    expect(history.status()).toMatchObject({
      overall: 'degraded',
      clocks: { agree: false, aheadMs: { [place]: FAR } },
    })
  })
}

test('a clock that goes wrong later is told once in the log, and once when it is right again', async () => {
  const { env, clocks, open, say, contents, lines, events } = rig()
  const history = await open({ retention: RETENTION })
  await say(history, 'young')
  expect(history.status().clocks).toEqual({ agree: true, aheadMs: { primary: 0, backup: 0 } })
  clocks.primary.ms = FAR
  await env.advance(120_000)
  expect(lines.filter((line) => line.includes('clock'))).toEqual([
    'clocks disagree: nothing is removed by its age until they agree',
  ])
  expect(events[0]).toEqual({ place: 'primary', aheadMs: FAR })
  expect(events.length).toBeLessThanOrEqual(2)
  expect(Math.abs(aheadMs(await say(history, 'b'), env.now()))).toBeLessThan(60_000)
  clocks.primary.ms = 0
  await env.advance(120_000)
  expect(lines.filter((line) => line.includes('clock'))[1]).toBe('clocks agree again')
  expect((await env.drive(history.applyRetention())).removed).toBe(0)
  expect(await contents(history)).toEqual(['young', 'b'])
})

test('an own clock that is far ahead when the store is opened is outvoted by both databases', async () => {
  const { env, clocks, open, say, contents } = rig()
  clocks.primary.ms = clocks.backup.ms = -FAR
  const history = await open({ retention: RETENTION })
  const saved = await say(history, 'young')
  expect(Math.abs(aheadMs(saved, env.now() - FAR))).toBeLessThan(60_000)
  await expect(env.drive(history.applyRetention())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await contents(history)).toEqual(['young'])
})

for (const [name, ms] of [
  ['ahead', FAR],
  ['back', -FAR],
] as const) {
  test(`an own clock that jumps far ${name} moves stamps for no longer than until a database is heard`, async () => {
    const { env, clocks, open, say, contents } = rig()
    const history = await open({ retention: RETENTION })
    await say(history, 'before')
    env.jumpWallClock(ms)
    clocks.primary.ms = clocks.backup.ms = -ms
    await say(history, 'at once')
    await say(history, 'at once', 'other')
    await env.advance(20_000)
    await expect(env.drive(history.applyRetention())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    // The key that was stamped meanwhile goes on from there; no other does.
    await say(history, 'after')
    expect(await contents(history)).toEqual(['before', 'at once', 'after'])
    const fresh = await say(history, 'fresh', 'fresh')
    expect(Math.abs(aheadMs(fresh, env.now() - ms))).toBeLessThan(60_000)
    env.jumpWallClock(-ms)
    clocks.primary.ms = clocks.backup.ms = 0
    await env.advance(20_000)
    const right = await say(history, 'right', 'right')
    expect(Math.abs(aheadMs(right, env.now()))).toBeLessThan(60_000)
    expect((await env.drive(history.applyRetention())).removed).toBe(0)
    expect(await contents(history)).toEqual(['before', 'at once', 'after'])
  })
}

test('a backup without a clock confirms none: a conversation that was stamped ahead goes on from there', async () => {
  const { env, clocks, primary, open, say, contents } = rig()
  clocks.backup.ms = undefined
  const history = await open()
  await env.advance(20_000)
  await say(history, 'before')
  primary.setMode('refused')
  env.jumpWallClock(FAR)
  clocks.primary.ms = -FAR
  await say(history, 'ahead')
  await say(history, 'ahead too')
  await env.advance(100)
  await say(history, 'elsewhere', 'other')
  await env.advance(1_500)
  primary.setMode('up')
  await env.advance(20_000)
  await say(history, 'after')
  expect(await contents(history)).toEqual(['before', 'ahead', 'ahead too', 'after'])
})

test('an own clock that jumps while both databases are out stops retention at once', async () => {
  const { env, clocks, primary, backup, open, say, contents } = rig()
  const history = await open({ retention: RETENTION })
  await say(history, 'young')
  for (const database of [primary, backup]) database.setMode('refused')
  env.jumpWallClock(FAR)
  clocks.primary.ms = clocks.backup.ms = -FAR
  await expect(env.drive(history.applyRetention())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  for (const database of [primary, backup]) database.setMode('up')
  await env.advance(60_000)
  expect(await contents(history)).toEqual(['young'])
})

test('where the clocks agree, the one that is behind says what is too old', async () => {
  const { env, clocks, open, say, contents } = rig()
  const maxAge = 600_000
  const history = await open({ retention: { maxAge, interval: DAY } })
  await say(history, 'young')
  clocks.primary.ms = 200_000
  clocks.backup.ms = -200_000
  await env.advance(maxAge + 100_000)
  expect((await env.drive(history.applyRetention())).removed).toBe(0)
  await env.advance(200_000)
  expect((await env.drive(history.applyRetention())).removed).toBe(1)
  expect(await contents(history)).toEqual([])
})

test('limits that need no clock hold whatever the clocks say', async () => {
  const { env, clocks, open, say, contents } = rig()
  clocks.primary.ms = FAR
  const history = await open({ retention: { maxMessages: 1 } })
  await say(history, 'a')
  await say(history, 'b')
  expect((await env.drive(history.applyRetention())).removed).toBe(1)
  expect(await contents(history)).toEqual(['b'])
})
