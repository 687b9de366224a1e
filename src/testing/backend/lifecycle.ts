import { describe, expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../backend/buckets.ts'
import type { CallOptions, ReplicaBackend } from '../../backend/replica-backend.ts'
import { isStorageError } from '../../core/errors.ts'
import { collect, rejects, type ConformanceContext } from './context.ts'
import { append, set, stampAt } from './operations.ts'

/** Every call of the port that can be cancelled. */
const CALLS: Readonly<
  Record<string, (backend: ReplicaBackend, options?: CallOptions) => Promise<unknown>>
> = {
  apply: async (backend, options) => await backend.apply([append('k', stampAt(1), 1)], options),
  readRegister: async (backend, options) => await backend.readRegister('k', options),
  readItems: async (backend, options) =>
    await backend.readItems({ key: 'k', limit: 1, order: 'oldest' }, options),
  readItemsById: async (backend, options) => await backend.readItemsById('k', ['id'], options),
  countItems: async (backend, options) => await backend.countItems('k', options),
  listKeys: async (backend, options) => await backend.listKeys({ prefix: '', limit: 1 }, options),
  listLatest: async (backend, options) =>
    await backend.listLatest({ prefix: '', limit: 1 }, options),
  readState: async (backend, options) => await backend.readState('writer', options),
  removeHints: async (backend, options) => await backend.removeHints([], options),
  trust: async (backend, options) => await backend.trust('other', options),
  digest: async (backend, options) => await backend.digest(WHOLE_RANGE, 2, options),
  scan: async (backend, options) => await collect(backend.scan(WHOLE_RANGE, options)),
}

/** Connecting, disconnecting, timeouts and aborted calls. */
export function lifecycle({ setup, reopen, open, capabilities }: ConformanceContext): void {
  describe('lifecycle', () => {
    test('it says what it is and what it promises', async () => {
      const backend = await setup()
      expect(backend.isConnected()).toBe(true)
      expect(backend.getBackendType()).toMatch(/^[a-z0-9-]+$/)
      const { durable, reasons } = backend.getDurability()
      expect(typeof durable).toBe('boolean')
      expect(reasons.length).toBeGreaterThan(0)
    })

    test('connect and disconnect may be called again', async () => {
      const backend = await setup()
      await Promise.all([backend.connect(), backend.connect()])
      await backend.set('k', 1)
      expect(await backend.get('k')).toBe(1)
      await backend.disconnect()
      await backend.disconnect()
      expect(backend.isConnected()).toBe(false)
      await backend.connect()
      expect(backend.isConnected()).toBe(true)
      await backend.set('k', 2)
      expect(await backend.get('k')).toBe(2)
    })

    test.each(Object.keys(CALLS))('after disconnect %s rejects with CLOSED', async (name) => {
      const backend = await setup()
      await backend.disconnect()
      await rejects(CALLS[name]!(backend), 'CLOSED')
    })

    test('after disconnect the plain calls reject with CLOSED', async () => {
      const backend = await setup()
      await backend.disconnect()
      await rejects(backend.get('k'), 'CLOSED')
      await rejects(backend.set('k', 1), 'CLOSED')
      await rejects(backend.delete('k'), 'CLOSED')
      await rejects(backend.list(''), 'CLOSED')
      await rejects(backend.append('k', 1), 'CLOSED')
      await rejects(backend.getRange('k', 0, 1), 'CLOSED')
    })

    test.each(Object.keys(CALLS))('%s with an aborted signal has no effect', async (name) => {
      const backend = await setup()
      const signal = AbortSignal.abort(new Error('changed my mind'))
      const error: unknown = await CALLS[name]!(backend, { signal }).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(isStorageError(error, 'TIMEOUT') && error.effect, String(error)).toBe('none')
      expect((await backend.countItems('k')).count).toBe(0)
      expect((await backend.readState('writer')).trusted).toBeUndefined()
    })

    test('a call that is aborted or times out may be repeated', async () => {
      const backend = await setup()
      const controller = new AbortController()
      const operation = append('k', stampAt(1), 1)
      const aborted = backend.apply([operation], { decide: true, signal: controller.signal })
      const late = backend.apply([operation], { decide: true, timeoutMs: 1 })
      controller.abort()
      for (const result of await Promise.allSettled([aborted, late])) {
        if (result.status === 'rejected')
          expect(isStorageError(result.reason, 'TIMEOUT')).toBe(true)
      }
      const { applied } = await backend.apply([operation], { decide: true })
      expect(applied).toEqual([{ outcome: 'applied' }])
      expect((await backend.countItems('k')).count).toBe(1)
    })

    test('disconnect while calls run loses nothing that was acknowledged', async () => {
      const backend = await open()
      const calls = Array.from({ length: 40 }, async (_, i) => {
        await backend.apply([set(`k${i}`, stampAt(i), i)], { decide: true })
        return i
      })
      const settled = Promise.allSettled(calls)
      await Promise.resolve()
      await backend.disconnect()
      const results = await settled
      for (const result of results) {
        if (result.status === 'rejected') expect(isStorageError(result.reason)).toBe(true)
      }
      if (!capabilities.persistent) return
      const again = await reopen!(backend)
      try {
        for (const result of results) {
          if (result.status === 'rejected') continue
          expect(await again.get(`k${result.value}`)).toBe(result.value)
        }
      } finally {
        await again.disconnect()
      }
    })
  })
}
