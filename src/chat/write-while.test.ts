// Goal: a write that falls back to one without conditions does not say less than what may have happened.
import { expect, test } from 'vitest'
import { StorageError } from '../core/errors.ts'
import { writeWhile } from './write-while.ts'

type Groups = Parameters<typeof writeWhile>[0]['groups']

/** Fails with each of these in turn. */
function failing(...errors: readonly StorageError[]): { readonly groups: Groups } {
  const left = [...errors]
  return { groups: { write: () => Promise.reject(left.shift()!) } as unknown as Groups }
}

const CONDITIONS = [{ key: 'forks/c', last: null }]
const unknown = new StorageError('TIMEOUT', 'no answer', { effect: 'unknown' })
const refused = new StorageError('UNAVAILABLE', 'out', { effect: 'none' })
const closed = new StorageError('CLOSED', 'the store is closed', { effect: 'none' })

test('a first try that may stand is told, although the second has no effect', async () => {
  await expect(writeWhile(failing(unknown, closed), CONDITIONS, [])).rejects.toBe(unknown)
})

test('otherwise the second try is told', async () => {
  await expect(writeWhile(failing(refused, closed), CONDITIONS, [])).rejects.toBe(closed)
  await expect(writeWhile(failing(refused, unknown), CONDITIONS, [])).rejects.toBe(unknown)
})

test('a conflict is not tried without conditions', async () => {
  const conflict = new StorageError('CONFLICT', 'changed', { effect: 'none' })
  await expect(writeWhile(failing(conflict), CONDITIONS, [])).rejects.toBe(conflict)
})
