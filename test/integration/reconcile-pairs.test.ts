import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import type { Operation } from '../../src/core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../src/core/places.ts'
import {
  append,
  clear,
  edit,
  json,
  remove,
  set,
  stampAt,
} from '../../src/testing/backend/operations.ts'
import { someOperations } from '../../src/testing/operation-arbitraries.ts'
import type { DamagedValue } from '../../src/testing/replica-backend-conformance.ts'
import { postgresUrl } from '../support/postgres-backend.ts'
import { reconcilerRig } from '../support/reconciler-rig.ts'
import { replicaEngines, type ReplicaEngine } from '../support/replica-engines.ts'

const RUNS = Number(process.env['RECONCILE_RUNS'] ?? 3)

const ENGINES = replicaEngines(postgresUrl)
const PAIRS = ENGINES.flatMap((primary) =>
  ENGINES.map((backup) => [`${primary.name} and ${backup.name}`, primary, backup] as const),
)

type Both = Readonly<Record<DatabasePlace, ReplicaBackend>>

describe.each(PAIRS)('%s', (_pair, primaryEngine, backupEngine) => {
  const engines: Readonly<Record<DatabasePlace, ReplicaEngine>> = {
    primary: primaryEngine,
    backup: backupEngine,
  }

  // Goal: whatever two replicas lack of each other, they end as the merge of both, and are left alone
  // from then on. Method: each gets its own part of random operations (so rows, edits, tombstones,
  // registers and removals are missing on either side), values that both have are damaged in one of
  // them, and the reference gets everything.
  test('that differ at random become equal to the merge of both', async () => {
    const wheres = fc.array(fc.constantFrom('both', 'primary', 'backup'), {
      minLength: 40,
      maxLength: 40,
    })
    const operations = fc
      .tuple(someOperations(40, 1), wheres)
      .map(([list, where]) => list.map((operation, i) => [operation, where[i]!] as const))
    const damages = fc.array(fc.tuple(fc.nat(100), fc.boolean()), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(operations, damages, async (parts, harm) => {
        await withBoth(async (both) => {
          const reference = await filledReference(parts.map(([operation]) => operation))
          for (const place of DATABASE_PLACES) {
            const own = parts.filter(([, where]) => where === 'both' || where === place)
            await both[place].apply(own.map(([operation]) => operation))
          }
          const damaged = await damageSome(both, harm)
          const { reconciler } = reconcilerRig(both.primary, both.backup)

          const found = await reconciler.verify({ deep: true })
          expect(found.damaged).toBe(damaged)
          const repaired = await reconciler.repair()
          expect([repaired.damaged, repaired.repaired]).toEqual([damaged, damaged])

          const expected = await reference.digest(WHOLE_RANGE, 16)
          for (const place of DATABASE_PLACES) {
            expect(await both[place].digest(WHOLE_RANGE, 16)).toEqual(expected)
          }
          const second = await reconciler.reconcile()
          expect([second.copied, second.rowsRead, second.bytesRead]).toEqual([0, 0, 0])
          const deep = await reconciler.verify({ deep: true })
          expect([deep.damaged, deep.missingInPrimary, deep.missingInBackup]).toEqual([0, 0, 0])
        })
      }),
      { numRuns: RUNS },
    )
  })

  // Found by the test above: a removal of the same digest that stood elsewhere was taken for equal.
  test('a removal stands at the same place everywhere after one pass', async () => {
    await withBoth(async ({ primary, backup }) => {
      const removal = remove('k', 'a', stampAt(1_000), stampAt(3_000))
      await primary.apply([removal])
      await backup.apply([
        removal,
        append('k', stampAt(9_000), 'x', 'a'),
        clear('k', stampAt(2_000)),
      ])
      const { reconciler } = reconcilerRig(primary, backup)
      await reconciler.reconcile()
      expect((await reconciler.reconcile()).copied).toBe(0)
    })
  })

  test('a primary from an old dump gets what is newer, and nothing that was cleared', async () => {
    await withBoth(async ({ primary, backup }) => {
      const before = [
        append('cleared', stampAt(1_000), 'old'),
        append('kept', stampAt(2_000), 'kept'),
        append('edited', stampAt(3_000), 'first', 'a'),
        append('removed', stampAt(4_000), 'to go', 'b'),
        set('register', stampAt(5_000), 'old'),
      ]
      const since = [
        clear('cleared', stampAt(10_000)),
        append('cleared', stampAt(11_000), 'after the clear'),
        append('kept', stampAt(12_000), 'newer'),
        edit('edited', 'a', stampAt(3_000), stampAt(13_000), 'second'),
        remove('removed', 'b', stampAt(4_000), stampAt(14_000)),
        set('register', stampAt(15_000), 'new'),
      ]
      // The primary is what it was before; the backup has seen everything.
      await primary.apply(before)
      await backup.apply([...before, ...since])
      const { reconciler } = reconcilerRig(primary, backup)
      await reconciler.reconcile()
      for (const backend of [primary, backup]) {
        expect(await backend.getRange('cleared', 0, 9)).toEqual(['after the clear'])
        expect(await backend.getRange('kept', 0, 9)).toEqual(['kept', 'newer'])
        expect(await backend.getRange('edited', 0, 9)).toEqual(['second'])
        expect(await backend.getRange('removed', 0, 9)).toEqual([])
        expect(await backend.get('register')).toBe('new')
      }
    })
  })

  test('an empty backup is filled, and the other way round', async () => {
    for (const full of DATABASE_PLACES) {
      await withBoth(async (both) => {
        const rows = Array.from({ length: 700 }, (_, i) =>
          append(`k${i % 7}`, stampAt(i * 60_000), i, i % 3 === 0 ? `caller ${i}` : undefined),
        )
        await both[full].apply(rows)
        const { reconciler } = reconcilerRig(both.primary, both.backup)
        const report = await reconciler.reconcile()
        expect(report.copied).toBe(700)
        expect(report.rowsRead).toBe(700)
        const missing = full === 'primary' ? report.missingInBackup : report.missingInPrimary
        expect(missing).toBe(700)
        expect(await both.backup.digest(WHOLE_RANGE, 8)).toEqual(
          await both.primary.digest(WHOLE_RANGE, 8),
        )
      })
    }
  })

  test.runIf(primaryEngine.damage !== undefined)(
    'a damaged value is never copied, and stays where it is when no other is there',
    async () => {
      await withBoth(async ({ primary, backup }) => {
        const only = append('k', stampAt(1_000), 'only here', 'caller')
        await primary.apply([only, append('k', stampAt(2_000), 'intact')])
        await engines.primary.damage!(primary, { key: 'k', part: 'appended', id: 'caller' })
        const { reconciler } = reconcilerRig(primary, backup)
        const report = await reconciler.reconcile()
        expect([report.copied, report.damaged, report.repaired]).toEqual([1, 1, 0])
        expect(report.damagedRows).toEqual([
          {
            place: 'primary',
            key: 'k',
            id: 'caller',
            part: 'appended',
            position: stampAt(1_000),
            repaired: false,
          },
        ])
        expect(await backup.getRange('k', 0, 9)).toEqual(['intact'])
        // Two databases of which one lacks something are not known to be equal.
        expect((await primary.readState('w')).trusted).toBeUndefined()
        const repair = await reconciler.repair()
        expect([repair.damaged, repair.repaired]).toEqual([1, 0])
        await backup.apply([only])
        const mended = await reconciler.repair()
        expect([mended.damaged, mended.repaired]).toEqual([1, 1])
        expect(await primary.getRange('k', 0, 9)).toEqual(['only here', 'intact'])
      })
    },
  )

  async function withBoth(use: (both: Both) => Promise<void>): Promise<void> {
    const both: Both = {
      primary: await engines.primary.open(),
      backup: await engines.backup.open(),
    }
    try {
      await use(both)
    } finally {
      await both.primary.disconnect()
      await both.backup.disconnect()
    }
  }

  /** Damages values that both have the same of, each in one place. Returns how many. */
  async function damageSome(
    both: Both,
    harm: readonly (readonly [number, boolean])[],
  ): Promise<number> {
    const shared = await sharedValues(both)
    const chosen = new Map<number, DatabasePlace>()
    for (const [n, inPrimary] of harm) {
      const place = inPrimary ? 'primary' : 'backup'
      if (shared.length > 0 && engines[place].damage !== undefined) {
        chosen.set(n % shared.length, place)
      }
    }
    for (const [n, place] of chosen) await engines[place].damage!(both[place], shared[n]!)
    return chosen.size
  }
})

async function filledReference(operations: readonly Operation[]): Promise<MemoryBackend> {
  const reference = new MemoryBackend()
  await reference.connect()
  await reference.apply(operations)
  return reference
}

/** The values that both databases have the same of: one of them can be repaired by the other. */
async function sharedValues({ primary, backup }: Both): Promise<DamagedValue[]> {
  const names = new Map<string, DamagedValue>()
  const inPrimary = new Set<string>()
  for await (const operation of primary.scan(WHOLE_RANGE)) inPrimary.add(json(operation))
  for await (const operation of backup.scan(WHOLE_RANGE)) {
    const name = json(operation)
    if (!inPrimary.has(name)) continue
    const { key, kind } = operation
    if (kind === 'set') names.set(name, { key, part: 'register' })
    if (kind !== 'put' || operation.change === 'remove') continue
    const part = operation.change === 'append' ? 'appended' : 'edited'
    names.set(name, { key, part, id: operation.id })
  }
  return [...names.values()]
}
