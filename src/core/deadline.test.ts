import { expect, test } from 'vitest'
import { virtualEnv } from '../testing/virtual-env.ts'
import { Deadline } from './deadline.ts'

const never = new Promise<string>(() => {})

test('all that waits for a call shares one timer, which goes with the last of them', () => {
  const env = virtualEnv()
  const deadline = new Deadline(env, 100)
  expect(env.pendingTimers()).toBe(0)
  const leaves = [1, 2, 3].map(() => deadline.onEnd(() => {}))
  expect(env.pendingTimers()).toBe(1)
  for (const leave of leaves) leave()
  expect(env.pendingTimers()).toBe(0)
})

test('who comes later waits for what is left of the time', async () => {
  const env = virtualEnv()
  const deadline = new Deadline(env, 100)
  await env.advance(60)
  expect(deadline.leftMs).toBe(40)
  let isOver = false
  deadline.onEnd(() => (isOver = true))
  await env.advance(39)
  expect(isOver).toBe(false)
  await env.advance(1)
  expect(isOver).toBe(true)
  expect(env.pendingTimers()).toBe(0)
})

test('an answer in time is the answer, a late one is not', async () => {
  const env = virtualEnv()
  const deadline = new Deadline(env, 100)
  const late = (): Promise<string> => Promise.reject(deadline.error('it', { effect: 'none' }))
  expect(await deadline.wait(Promise.resolve('answer'), late)).toBe('answer')
  const refused = expect(deadline.wait(never, late)).rejects.toMatchObject({
    code: 'TIMEOUT',
    effect: 'none',
    message: 'it gave no answer within 100 ms',
  })
  await env.advance(100)
  await refused
})

test('its caller ends it, with the reason, whether before or while somebody waits', async () => {
  const env = virtualEnv()
  const stop = new AbortController()
  const deadline = new Deadline(env, Infinity, stop.signal)
  const wait = async (): Promise<string> =>
    await deadline.wait(never, () => Promise.reject(deadline.error('it')))
  const expected = { code: 'TIMEOUT', effect: 'unknown', cause: 'changed my mind' }
  const refused = expect(wait()).rejects.toMatchObject(expected)
  stop.abort('changed my mind')
  await refused
  await expect(wait()).rejects.toMatchObject(expected)
  expect(env.pendingTimers()).toBe(0)
})

test('a signal of its own aborts at the deadline', async () => {
  const env = virtualEnv()
  const reason = new Deadline(env, 100).during(
    (signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(signal.reason))
      }),
  )
  await env.advance(100)
  expect(await reason).toEqual(new Error('no answer within 100 ms'))
})
