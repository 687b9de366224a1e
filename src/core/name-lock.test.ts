// Goal: whoever waits for another save of its id waits for a bounded time, and never beside it.
import { expect, test } from 'vitest'
import { sleep } from './time.ts'
import { virtualEnv } from '../testing/virtual-env.ts'
import { NameLock } from './name-lock.ts'

const HANGING_MS = 5_000
const WAIT_MS = 5_000

test('the tenth caller of an id waits no longer than the second one while each one hangs', async () => {
  const env = virtualEnv()
  const lock = new NameLock({ env, waitMs: WAIT_MS, what: 'another' })
  const running = new Set<number>()
  const outcomes = await env.drive(
    Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const task = async (): Promise<never> => {
          running.add(i)
          expect(running.size).toBe(1)
          await sleep(env, HANGING_MS)
          running.delete(i)
          throw new Error('hangs')
        }
        const error: unknown = await lock.run(['a', 'b'], task).catch((thrown: unknown) => thrown)
        return { error, atMs: env.monotonic() }
      }),
    ),
  )
  for (const { atMs } of outcomes) expect(atMs).toBeLessThanOrEqual(2 * HANGING_MS)
  expect(outcomes.at(-1)?.error).toMatchObject({ code: 'TIMEOUT', effect: 'none' })
})

test('one that gave up lets nobody past those before it', async () => {
  const env = virtualEnv()
  const lock = new NameLock({ env, waitMs: WAIT_MS, what: 'another' })
  const order: string[] = []
  const first = lock.run(['a'], async () => {
    await sleep(env, HANGING_MS + 1_000)
    order.push('first')
  })
  const second = lock.run(['a'], async () => void order.push('second')).catch(() => {})
  await env.advance(HANGING_MS + 500)
  const third = lock.run(['a'], async () => void order.push('third'))
  await env.drive(Promise.all([first, second, third]))
  expect(order).toEqual(['first', 'third'])
})
