import { expect, test } from 'vitest'
import { virtualEnv } from '../../../testing/virtual-env.ts'
import { ConnectionQueue } from './connection-queue.ts'

const waiting = (): boolean => false

test('a call waits for a connection until its own limit, and takes none with it', async () => {
  const env = virtualEnv()
  const queue = new ConnectionQueue(env, 1, 300)
  const release = await queue.take(waiting)
  const second = queue.take(waiting)
  const refused = expect(second).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none' })
  await env.advance(300)
  await refused
  expect(queue.waiting).toBe(0)
  release()
  expect(await queue.take(waiting)).toBeTypeOf('function')
})

test('a call that got its connection in time is left alone', async () => {
  const env = virtualEnv()
  const queue = new ConnectionQueue(env, 1, 300)
  const release = await queue.take(waiting)
  const second = queue.take(waiting)
  release()
  const releaseSecond = await second
  await env.advance(1_000)
  releaseSecond()
  await queue.close()
})
