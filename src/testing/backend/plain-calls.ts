import { describe, expect, test } from 'vitest'
import { rejects, type ConformanceContext } from './context.ts'

const STRANGE = ['%', '_', '\\', "'", '"', '*', '?', '[', 'é', '\u{1f600}']

/** `get`, `set`, `delete`, `list`, `append` and `getRange`. */
export function plainCalls({ setup }: ConformanceContext): void {
  describe('plain calls', () => {
    test('get returns undefined for an absent key and getRange an empty list', async () => {
      const backend = await setup()
      expect(await backend.get('absent')).toBeUndefined()
      expect(await backend.getRange('absent', 0, 10)).toEqual([])
      expect(await backend.getRange('absent', -10, 10)).toEqual([])
      expect(await backend.list('')).toEqual([])
      await backend.delete('absent')
    })

    test('get returns what the last set has written, of every kind of value', async () => {
      const backend = await setup()
      for (const value of [1, -0.5, '', 'text', true, null, [], {}, { a: [{ b: null }] }]) {
        await backend.set('key', value)
        expect(await backend.get('key')).toEqual(value)
      }
    })

    test('NUL, lone surrogates and emoji in values come back as they were', async () => {
      const backend = await setup()
      const text = 'a\0b \ud800 \udc00 \u{1f600} \u2028 \uffff'
      await backend.set('key', { [text]: text })
      await backend.append('key', text)
      expect(await backend.get('key')).toEqual({ [text]: text })
      expect(await backend.getRange('key', 0, 1)).toEqual([text])
    })

    test('a field named __proto__ comes back as an own field', async () => {
      const backend = await setup()
      const value: unknown = JSON.parse('{"__proto__": {"polluted": true}}')
      await backend.set('key', value)
      const read = (await backend.get<object>('key'))!
      expect(Object.keys(read)).toEqual(['__proto__'])
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    })

    test('values of one mebibyte and more come back whole', async () => {
      const backend = await setup()
      const value = 'x\u{1f600}'.repeat(300_000)
      await backend.set('key', value)
      await backend.append('key', value)
      expect(await backend.get('key')).toBe(value)
      expect(await backend.getRange('key', -1, 1)).toEqual([value])
    })

    test('a key holds a value and, apart from it, a list', async () => {
      const backend = await setup()
      await backend.append('key', 'item')
      expect(await backend.get('key')).toBeUndefined()
      await backend.set('key', 'value')
      expect(await backend.get('key')).toBe('value')
      expect(await backend.getRange('key', 0, 10)).toEqual(['item'])
    })

    test('getRange counts from the start, and from the end when start is negative', async () => {
      const backend = await setup()
      for (let i = 0; i < 5; i++) await backend.append('key', i)
      expect(await backend.getRange('key', 0, 10)).toEqual([0, 1, 2, 3, 4])
      expect(await backend.getRange('key', 1, 2)).toEqual([1, 2])
      expect(await backend.getRange('key', 4, 5)).toEqual([4])
      expect(await backend.getRange('key', 5, 5)).toEqual([])
      expect(await backend.getRange('key', 0, 0)).toEqual([])
      expect(await backend.getRange('key', -2, 10)).toEqual([3, 4])
      expect(await backend.getRange('key', -3, 2)).toEqual([2, 3])
      expect(await backend.getRange('key', -10, 3)).toEqual([0, 1, 2])
    })

    test('items that are appended one after another keep their order', async () => {
      const backend = await setup()
      for (let i = 0; i < 100; i++) await backend.append('key', i)
      expect(await backend.getRange('key', 0, 100)).toEqual(
        Array.from({ length: 100 }, (_, i) => i),
      )
    })

    test('concurrent appends are all kept, once each', async () => {
      const backend = await setup()
      const numbers = Array.from({ length: 100 }, (_, i) => i)
      await Promise.all(numbers.map(async (i) => await backend.append('key', i)))
      const read = await backend.getRange<number>('key', 0, 200)
      expect([...read].sort((a, b) => a - b)).toEqual(numbers)
    })

    test('delete removes the value and the list, and both can be written again', async () => {
      const backend = await setup()
      await backend.set('key', 1)
      await backend.append('key', 1)
      await backend.delete('key')
      expect(await backend.get('key')).toBeUndefined()
      expect(await backend.getRange('key', 0, 10)).toEqual([])
      expect(await backend.list('')).toEqual([])
      await backend.set('key', 2)
      await backend.append('key', 2)
      expect(await backend.get('key')).toBe(2)
      expect(await backend.getRange('key', 0, 10)).toEqual([2])
    })

    test('every character of a key and of a prefix is literal', async () => {
      const backend = await setup()
      for (const part of STRANGE) {
        await backend.set(`p${part}1`, part)
        await backend.append(`p${part}2`, part)
      }
      for (const part of STRANGE) {
        expect(await backend.list(`p${part}`)).toEqual([`p${part}1`, `p${part}2`])
        expect(await backend.get(`p${part}1`)).toBe(part)
        expect(await backend.getRange(`p${part}2`, 0, 5)).toEqual([part])
      }
      expect(await backend.list('')).toHaveLength(STRANGE.length * 2)
    })

    test("keys may have the names of an object's own properties", async () => {
      const backend = await setup()
      for (const key of ['__proto__', 'constructor', 'toString']) {
        expect(await backend.get(key)).toBeUndefined()
        await backend.set(key, key)
        await backend.append(key, key)
        expect(await backend.get(key)).toBe(key)
        expect(await backend.getRange(key, 0, 5)).toEqual([key])
      }
      expect(await backend.list('')).toEqual(['__proto__', 'constructor', 'toString'])
    })

    test('keys differ by case, by trailing space and by normal form', async () => {
      const backend = await setup()
      const keys = ['a', 'A', 'a ', ' a', '\u00e9', 'e\u0301']
      for (const key of keys) await backend.set(key, key)
      for (const key of keys) expect(await backend.get(key)).toBe(key)
    })

    test('list is sorted by code point', async () => {
      const backend = await setup()
      const sorted = ['!', 'A', 'Z', 'a', 'aa', 'é', '\ud7ff', '\ue000', '\uffff', '\u{1f600}']
      for (const key of sorted.toReversed()) await backend.set(key, 1)
      expect(await backend.list('')).toEqual(sorted)
      expect(await backend.list('\uffff')).toEqual(['\uffff'])
      expect(await backend.list('\u{1f600}')).toEqual(['\u{1f600}'])
      expect(await backend.list('\ud7ff')).toEqual(['\ud7ff'])
    })

    test('what cannot come back is refused before any effect', async () => {
      const backend = await setup()
      await rejects(backend.set('key', undefined), 'INVALID_ARGUMENT')
      await rejects(backend.append('key', Number.NaN), 'INVALID_ARGUMENT')
      await rejects(backend.set('', 1), 'INVALID_ARGUMENT')
      await rejects(backend.set('a\0b', 1), 'INVALID_ARGUMENT')
      await rejects(backend.append('a\ud800', 1), 'INVALID_ARGUMENT')
      await rejects(backend.getRange('key', 0.5, 1), 'INVALID_ARGUMENT')
      await rejects(backend.getRange('key', 0, -1), 'INVALID_ARGUMENT')
      expect(await backend.list('')).toEqual([])
    })
  })
}
