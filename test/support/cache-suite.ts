import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CacheBackend } from '../../src/backend/cache-backend.ts'
import { isStorageError } from '../../src/core/errors.ts'

/** What every shared cache must do. `open` gives a connected one on the same server each time. */
export function cacheSuite(name: string, open: () => Promise<CacheBackend>): void {
  async function setup(): Promise<CacheBackend> {
    const cache = await open()
    onTestFinished(async () => await cache.disconnect())
    return cache
  }

  describe(`${name}: cache`, () => {
    test('get returns what any process has set, and undefined for what is absent', async () => {
      const [one, two] = [await setup(), await setup()]
      expect(await one.get('absent')).toBeUndefined()
      for (const value of [1, '', null, [], { a: ['é\u{1f600}', '\0 \ud800'] }]) {
        await one.set('shared', value)
        expect(await two.get('shared')).toEqual(value)
      }
      await two.delete('shared')
      expect(await one.get('shared')).toBeUndefined()
      await two.delete('shared')
    })

    test('texts come back as they are, in the order of their keys, and absent ones as undefined', async () => {
      const [one, two] = [await setup(), await setup()]
      const texts = ['', '"a\\', 'é\u{1f600}\n', 'x'.repeat(100_000)]
      for (const [i, text] of texts.entries()) await one.setText!(`text-${i}`, text, 60)
      const keys = ['text-3', 'absent', 'text-0', 'text-2', 'text-1']
      const expected = [texts[3], undefined, texts[0], texts[2], texts[1]]
      expect(await two.getTexts!(keys)).toEqual(expected)
      expect(await two.getTexts!([])).toEqual([])
    })

    test('keys of any text are kept apart', async () => {
      const cache = await setup()
      const keys = ['a', 'A', 'a ', ' a', '#a', '%', 'é', '\u{1f600}', '__proto__', '{x}', 'a\nb']
      keys.push('x'.repeat(1_000), `${'x'.repeat(999)}y`)
      for (const [i, key] of keys.entries()) await cache.set(key, i)
      for (const [i, key] of keys.entries()) expect(await cache.get(key)).toBe(i)
    })

    test('a value is gone when its time is over', async () => {
      const cache = await setup()
      // A second less would be over at once in a cache that counts whole seconds.
      await cache.set('brief', 1, 2)
      await cache.set('long', 1, 40 * 24 * 60 * 60)
      await cache.set('longest', 1, 1e12)
      expect(await cache.get('brief')).toBe(1)
      const deadline = Date.now() + 10_000
      while ((await cache.get('brief')) !== undefined && Date.now() < deadline) await delay(50)
      expect(await cache.get('brief')).toBeUndefined()
      expect(await cache.get('long')).toBe(1)
      expect(await cache.get('longest')).toBe(1)
    })

    test('what cannot be kept is refused before any effect', async () => {
      const cache = await setup()
      for (const call of [
        cache.set('k', undefined),
        cache.set('', 1),
        cache.set('k', 1, 0),
        cache.set('k', 1, Number.NaN),
        cache.get('a\0b'),
      ]) {
        const error: unknown = await call.then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(isStorageError(error, 'INVALID_ARGUMENT'), String(error)).toBe(true)
      }
      expect(await cache.get('k')).toBeUndefined()
    })

    test('after disconnect it rejects with CLOSED, and connects again', async () => {
      const cache = await setup()
      await cache.connect()
      expect(cache.isConnected()).toBe(true)
      await cache.disconnect()
      await cache.disconnect()
      expect(cache.isConnected()).toBe(false)
      const error: unknown = await cache.get('k').catch((reason: unknown) => reason)
      expect(isStorageError(error, 'CLOSED')).toBe(true)
      await cache.connect()
      await cache.set('again', 1)
      expect(await cache.get('again')).toBe(1)
    })
  })
}
