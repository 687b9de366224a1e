import { expect, test } from 'vitest'
import type { CallOptions, ReplicaBackend } from '../backend/replica-backend.ts'
import { StorageError } from '../core/errors.ts'
import { SimpleHealthManager } from '../health/simple.ts'
import { virtualEnv, type VirtualEnv } from '../testing/virtual-env.ts'
import { Place } from './place.ts'

const never = new Promise<never>(() => {})

function placeOf(env: VirtualEnv): Place {
  return new Place(env, 'primary', {} as ReplicaBackend, new SimpleHealthManager(env))
}

test('an engine may have its say at the deadline, and is not waited for long after it', async () => {
  const env = virtualEnv()
  const place = placeOf(env)
  const slow = place.call('readItems', 100, async (_, { deadline }) => {
    return await deadline!.wait(never, () => Promise.reject(deadline!.error('the engine')))
  })
  const told = expect(slow).rejects.toMatchObject({
    message: expect.stringContaining('the engine'),
  })
  const hangs = place.call('readItems', 100, () => never)
  const guarded = expect(hangs).rejects.toMatchObject({
    code: 'TIMEOUT',
    place: 'primary',
    message: expect.stringContaining('primary readItems gave no answer within 100 ms'),
  })
  await env.advance(100)
  await told
  await env.advance(250)
  await guarded
  expect(env.pendingTimers()).toBe(0)
})

test('an engine is given the end of its call in both ways, with one timer for all of it', async () => {
  const env = virtualEnv()
  let given: CallOptions = {}
  const answer = placeOf(env).call('readItems', 100, async (_, options) => {
    given = options
    return await options.deadline!.wait(never, () =>
      Promise.reject(new StorageError('TIMEOUT', '')),
    )
  })
  const refused = expect(answer).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(given.timeoutMs).toBe(100)
  expect(env.pendingTimers()).toBe(1)
  await env.advance(100)
  await refused
})
