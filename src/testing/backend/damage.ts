import { describe, expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../backend/buckets.ts'
import type { ReplicaBackend, StoredOperation } from '../../backend/replica-backend.ts'
import { digestOf, type StampRange } from '../../core/digest.ts'
import type { Operation } from '../../core/operation.ts'
import { collect, type ConformanceContext } from './context.ts'
import { append, clear, edit, remove, set, stampAt } from './operations.ts'

const APPENDED = append('k', stampAt(1_000), 'intact')
const CALLERS = append('k', stampAt(2_000), 'intact too', 'caller')
const EDITED = edit('k', 'caller', stampAt(2_000), stampAt(5_000), 'edited')
const REGISTER = set('k', stampAt(3_000), 'register')
const STATE: readonly Operation[] = [
  APPENDED,
  CALLERS,
  EDITED,
  REGISTER,
  append('k', stampAt(4_000), 'removed', 'gone'),
  remove('k', 'gone', stampAt(4_000), stampAt(6_000)),
  clear('other', stampAt(7_000)),
]

/** `scanStored` and `repair`. */
export function damage({ setup, damage: harm }: ConformanceContext): void {
  describe.runIf(harm !== undefined)('damage', () => {
    test('the digests that are stored fit what is stored', async () => {
      const backend = await filled()
      const stored = await rows(backend)
      expect(stored).toHaveLength(6)
      expect(damagedIn(stored)).toEqual([])
      expect(stored.map(({ operation }) => operation)).toEqual(
        await collect(backend.scan(WHOLE_RANGE)),
      )
    })

    test.each([
      ['appended', APPENDED, APPENDED.id],
      ['appended', CALLERS, 'caller'],
      ['edited', EDITED, 'caller'],
      ['register', REGISTER, undefined],
    ] as const)('a damaged %s value is found and repaired', async (part, intact, id) => {
      const backend = await filled()
      const [before] = await backend.digest(WHOLE_RANGE, 1)
      await harm!(backend, { key: 'k', part, ...(id !== undefined && { id }) })
      // What is compared by digests does not see it.
      expect(await backend.digest(WHOLE_RANGE, 1)).toEqual([before])
      const found = damagedIn(await rows(backend))
      expect(found.map(nameOf)).toEqual([nameOf(intact)])
      // Merging does not mend it: the stamps are the same.
      await backend.apply([intact])
      expect(damagedIn(await rows(backend))).toHaveLength(1)
      expect(await backend.repair!([intact])).toBe(1)
      const stored = await rows(backend)
      expect(damagedIn(stored)).toEqual([])
      expect(stored.map(({ operation }) => operation)).toContainEqual(intact)
      expect(await backend.digest(WHOLE_RANGE, 1)).toEqual([before])
    })

    test('it is found in the range where it stands and not beside it', async () => {
      const backend = await filled()
      await harm!(backend, { key: 'k', part: 'appended', id: APPENDED.id })
      const near = { from: stampAt(1_000), to: stampAt(1_001) }
      expect(damagedIn(await rows(backend, near))).toHaveLength(1)
      const beside = { from: stampAt(1_001), to: stampAt(9_000) }
      expect(damagedIn(await rows(backend, beside))).toEqual([])
    })

    test('repairing leaves alone what has another stamp, is removed or not there', async () => {
      const backend = await filled()
      const before = await rows(backend)
      const written = await backend.repair!([
        append('k', stampAt(1_001), 'later', APPENDED.id),
        edit('k', 'caller', stampAt(2_000), stampAt(4_999), 'older edit'),
        append('k', stampAt(4_000), 'removed', 'gone'),
        append('k', stampAt(8_000), 'absent'),
        append('nowhere', stampAt(8_000), 'absent'),
        set('k', stampAt(3_001), 'later'),
        clear('other', stampAt(7_001)),
      ])
      expect(written).toBe(0)
      expect(await rows(backend)).toEqual(before)
    })

    async function filled(): Promise<ReplicaBackend> {
      const backend = await setup()
      await backend.apply(STATE)
      return backend
    }
  })
}

async function rows(
  backend: ReplicaBackend,
  range: StampRange = WHOLE_RANGE,
): Promise<StoredOperation[]> {
  return await collect(backend.scanStored!(range))
}

function damagedIn(stored: readonly StoredOperation[]): Operation[] {
  return stored
    .filter(({ operation, digest }) => digestOf(operation) !== digest)
    .map(({ operation }) => operation)
}

function nameOf(operation: Operation): unknown[] {
  const { key, kind } = operation
  return kind === 'put' ? [key, operation.id, operation.change] : [key, kind]
}
