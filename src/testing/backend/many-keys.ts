import { describe, expect, test } from 'vitest'
import { readRegistersOf } from '../../backend/read-registers.ts'
import { rejects, type ConformanceContext } from './context.ts'
import { append, clear, json, set, stampAt } from './operations.ts'

const T = [0, 1, 2, 3, 4].map((n) => stampAt(n * 1_000))

/** `readRegisters`: several keys in one call answer as each of them does by itself. */
export function manyKeys({ setup, open }: ConformanceContext): void {
  describe('many keys', () => {
    test('values, clears and keys that are not there, in the order asked for', async () => {
      const backend = await setup()
      await backend.apply([
        set('value', T[1]!, 'a'),
        append('list', T[1]!, 'item'),
        set('cleared', T[1]!, 'gone'),
        clear('cleared', T[2]!),
        clear('anew', T[1]!),
        set('anew', T[2]!, 'b'),
      ])
      const keys = ['anew', 'absent', 'value', 'list', 'cleared', '%', "'"]
      const { identity, reads } = await readRegistersOf(backend, keys, undefined)
      expect(identity).toBe((await backend.readHints()).identity)
      const single = await Promise.all(keys.map((key) => backend.readRegister(key)))
      expect(reads.map((read) => ({ ...read, identity }))).toEqual(single)
      expect(reads.map(({ register }) => register?.value)).toEqual([
        json('b'),
        undefined,
        json('a'),
        undefined,
        undefined,
        undefined,
        undefined,
      ])
      expect(reads[4]!.deletedThrough).toBe(T[2])
    })

    test('a thousand keys', async () => {
      const backend = await setup()
      const keys = Array.from({ length: 1_000 }, (_, i) => `key ${i}`)
      const written = keys.filter((_, i) => i % 2 === 0)
      for (let i = 0; i < written.length; i += 250) {
        await backend.apply(written.slice(i, i + 250).map((key) => set(key, T[1]!, key)))
      }
      const { reads } = await readRegistersOf(backend, keys, { timeoutMs: 30_000 })
      expect(reads.map(({ register }) => register?.value)).toEqual(
        keys.map((key, i) => (i % 2 === 0 ? json(key) : undefined)),
      )
    })

    test('a backend that was disconnected refuses', async () => {
      const backend = await open()
      await backend.disconnect()
      await rejects(readRegistersOf(backend, ['a'], undefined), 'CLOSED')
    })
  })
}
