import { expect, test } from 'vitest'
import { virtualEnv } from '../../../testing/virtual-env.ts'
import { Slots } from './slots.ts'

const waiting = (): boolean => false

test('a call waits for a connection until its own limit, and takes none with it', async () => {
  const env = virtualEnv()
  const slots = new Slots(env, 1, 300)
  const release = await slots.take(waiting)
  const second = slots.take(waiting)
  const refused = expect(second).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none' })
  await env.advance(300)
  await refused
  expect(slots.waiting).toBe(0)
  release()
  expect(await slots.take(waiting)).toBeTypeOf('function')
})

test('a call that got its connection in time is left alone', async () => {
  const env = virtualEnv()
  const slots = new Slots(env, 1, 300)
  const release = await slots.take(waiting)
  const second = slots.take(waiting)
  release()
  const releaseSecond = await second
  await env.advance(1_000)
  releaseSecond()
  await slots.close()
})
