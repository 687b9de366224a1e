import { expect, test } from 'vitest'
import { sleep } from '../core/time.ts'
import { virtualEnv } from './virtual-env.ts'

test('timers run in the order of their moments, and see them', async () => {
  const env = virtualEnv()
  const seen: string[] = []
  for (const [name, delayMs] of [
    ['c', 30],
    ['a', 10],
    ['b', 10],
  ] as const) {
    env.setTimer(delayMs, () => seen.push(`${name}@${env.monotonic()}`))
  }
  await env.advance(20)
  expect(seen).toEqual(['a@10', 'b@10'])
  expect(env.monotonic()).toBe(20)
  expect(env.pendingTimers()).toBe(1)
  await env.advance(20)
  expect(seen).toEqual(['a@10', 'b@10', 'c@30'])
})

test('a loop that sleeps runs once for each period, and a cancelled timer not at all', async () => {
  const env = virtualEnv()
  const stop = new AbortController()
  let rounds = 0
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await sleep(env, 100, stop.signal)
      rounds++
    }
  })()
  await env.advance(1_000)
  expect(rounds).toBe(10)
  stop.abort()
  await loop
  expect(env.pendingTimers()).toBe(0)
})

test('drive moves time until the promise settles, and gives up at its limit', async () => {
  const env = virtualEnv()
  expect(await env.drive(sleep(env, 95).then(() => env.monotonic()))).toBe(95)
  await expect(env.drive(new Promise(() => {}), 10, 50)).rejects.toThrow('not settled')
})

test('a wall clock that jumps leaves the monotonic clock alone', () => {
  const env = virtualEnv({ startMs: 1_000 })
  env.jumpWallClock(-500)
  expect([env.now(), env.monotonic()]).toEqual([500, 0])
})

test('one seed gives the same random numbers again, another seed others', () => {
  const draw = (seed: number): number[] => {
    const env = virtualEnv({ seed })
    return [env.random(), env.random(), ...env.randomBytes(8)]
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  expect(new Set(draw(0)).size).toBeGreaterThan(5)
})
