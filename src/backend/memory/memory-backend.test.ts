import { expect, test } from 'vitest'
import { replicaBackendConformance } from '../../testing/replica-backend-conformance.ts'
import { MemoryBackend } from './memory-backend.ts'

replicaBackendConformance({
  name: 'in-memory',
  open: async () => {
    const backend = new MemoryBackend()
    await backend.connect()
    return backend
  },
  capabilities: { search: true },
})

test('an in-memory database never calls itself durable', () => {
  expect(new MemoryBackend().getDurability().durable).toBe(false)
})

test('wiping takes everything, and it is another database afterwards', async () => {
  const backend = new MemoryBackend()
  await backend.connect()
  await backend.set('k', 1)
  await backend.apply([], { hint: 'writer', cursor: { writer: 'writer', lsn: 1 } })
  const { identity } = await backend.readState('writer')
  backend.wipe()
  expect(await backend.list('')).toEqual([])
  const state = await backend.readState('writer')
  expect(state.identity).not.toBe(identity)
  expect([state.hints, state.cursor, state.head]).toEqual([[], undefined, undefined])
})
