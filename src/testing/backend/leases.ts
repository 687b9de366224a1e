import { describe, expect, test, vi } from 'vitest'
import type { Lease, LeaseRequest, ReplicaBackend } from '../../backend/replica-backend.ts'
import { rejects, type ConformanceContext } from './context.ts'

/** Time in which a lease of a millisecond has ended, whatever the machine does. */
const PATIENCE = { timeout: 5_000, interval: 5 }
const LONG_MS = 60_000

/** `lease`, and the calls that a lease fences. */
export function leases({ setup, open, reopen, capabilities }: ConformanceContext): void {
  describe.runIf(capabilities.leases)('leases', () => {
    test('one holder at a time: another one gets it when it was given back', async () => {
      const backend = await setup()
      const first = await take(backend, 'one')
      expect(await ask(backend, { holder: 'two' })).toBeUndefined()
      expect(await ask(backend, { holder: 'two', name: 'other work' })).toBeDefined()
      await ask(backend, { holder: 'one', token: first.token, ttlMs: 0 })
      const second = await take(backend, 'two')
      expect(second.token).toBeGreaterThan(first.token)
      expect(await ask(backend, { holder: 'one' })).toBeUndefined()
    })

    test('a lease ends by itself, by the clock of the server', async () => {
      const backend = await setup()
      const { token } = await take(backend, 'one', 1)
      const taken = await vi.waitUntil(() => ask(backend, { holder: 'two' }), PATIENCE)
      expect(taken!.token).toBeGreaterThan(token)
    })

    test('prolonging works until another holder has taken it, and not after', async () => {
      const backend = await setup()
      const { token } = await take(backend, 'one', 1)
      await vi.waitUntil(
        async () => (await ask(backend, { holder: 'one', token, ttlMs: 1 })) !== undefined,
        PATIENCE,
      )
      await vi.waitUntil(() => ask(backend, { holder: 'two' }), PATIENCE)
      expect(await ask(backend, { holder: 'one', token })).toBeUndefined()
      // Nor does the late giving back of the first one end the lease of the second.
      expect(await ask(backend, { holder: 'one', token, ttlMs: 0 })).toBeUndefined()
      expect(await ask(backend, { holder: 'three' })).toBeUndefined()
    })

    test('a holder that takes its lease again gets a greater token', async () => {
      const backend = await setup()
      const { token } = await take(backend, 'one')
      expect((await take(backend, 'one')).token).toBeGreaterThan(token)
      expect(await ask(backend, { holder: 'one', token })).toBeUndefined()
    })

    test('of many that ask at once exactly one gets it', async () => {
      const backend = await setup()
      const holders = Array.from({ length: 8 }, (_, i) => `holder ${i}`)
      const answers = await Promise.all(holders.map((holder) => ask(backend, { holder })))
      expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1)
    })

    test('the note stays with the lease from holder to holder', async () => {
      const backend = await setup()
      const { token, note } = await take(backend, 'one')
      expect(note).toBeUndefined()
      const text = '{"at":"é😀 \\"\'"}'
      expect(await ask(backend, { holder: 'one', token, note: text })).toEqual({
        token,
        note: text,
      })
      await ask(backend, { holder: 'one', token, ttlMs: 0 })
      const next = await take(backend, 'two')
      expect(next.note).toBe(text)
      // One that was overtaken cannot put its own in place of it.
      await ask(backend, { holder: 'one', token, note: 'late' })
      expect((await ask(backend, { holder: 'two', token: next.token }))!.note).toBe(text)
    })

    test('what is fenced has no effect once there is a newer token', async () => {
      const backend = await setup()
      const { token: old } = await take(backend, 'one')
      const { token } = await take(backend, 'one')
      await backend.apply([], { hint: 'writer' })
      const { hints } = await backend.readState('w')
      const late = { fence: { name: 'work', token: old } }
      await rejects(backend.trust('late', late), 'REJECTED')
      await rejects(backend.removeHints(hints, late), 'REJECTED')
      const before = await backend.readState('w')
      expect([before.trusted, before.hints]).toEqual([undefined, hints])
      const fence = { name: 'work', token }
      await backend.trust('other', { fence })
      await backend.removeHints(hints, { fence })
      const after = await backend.readState('w')
      expect([after.trusted, after.hints]).toEqual(['other', []])
      await backend.trust('nobody has taken that one', { fence: { name: 'free', token: 1 } })
    })

    test('what cannot be kept is refused', async () => {
      const backend = await setup()
      await rejects(ask(backend, { name: '' }), 'INVALID_ARGUMENT')
      await rejects(ask(backend, { holder: '' }), 'INVALID_ARGUMENT')
      await rejects(ask(backend, { ttlMs: 0 }), 'INVALID_ARGUMENT')
      await rejects(ask(backend, { ttlMs: 600_001 }), 'INVALID_ARGUMENT')
      await rejects(ask(backend, { note: 'x'.repeat(8_193) }), 'INVALID_ARGUMENT')
    })

    test.runIf(capabilities.persistent)('a lease outlives the connection', async () => {
      const backend = await open()
      const { token } = await take(backend, 'one')
      await backend.disconnect()
      const again = await reopen!(backend)
      try {
        expect(await ask(again, { holder: 'two' })).toBeUndefined()
        expect(await ask(again, { holder: 'one', token })).toEqual({ token })
      } finally {
        await again.disconnect()
      }
    })
  })
}

async function ask(
  backend: ReplicaBackend,
  request: Partial<LeaseRequest>,
): Promise<Lease | undefined> {
  return await backend.lease!({ name: 'work', holder: 'one', ttlMs: LONG_MS, ...request })
}

/** Takes it, as it must be free. */
async function take(backend: ReplicaBackend, holder: string, ttlMs = LONG_MS): Promise<Lease> {
  const lease = await ask(backend, { holder, ttlMs })
  expect(lease).toBeDefined()
  return lease!
}
