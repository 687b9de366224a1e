import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import type { Lsn, WAL } from '../../wal/wal.ts'
import type { Stamp } from '../../core/stamp.ts'
import { stampAt } from '../backend/operations.ts'
import { anyOperation, ARBITRARY_KEYS } from '../operation-arbitraries.ts'
import { pendingKeys, readAll, WRITER, type WalContext } from './context.ts'

type Step =
  | {
      readonly kind: 'append'
      readonly group: readonly Operation[]
      readonly hold: readonly DatabasePlace[]
    }
  | {
      readonly kind: 'acknowledge' | 'release' | 'quarantine'
      readonly place: DatabasePlace
      readonly lsn: Lsn
    }
  | { readonly kind: 'erase'; readonly key: string; readonly through: Stamp }
  | { readonly kind: 'reopen' }

const place = fc.constantFrom<DatabasePlace>(...DATABASE_PLACES)
const lsn = fc.nat(40)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      group: fc.array(anyOperation, { minLength: 1, maxLength: 4 }),
      hold: fc.subarray([...DATABASE_PLACES]),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), place, lsn }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), place, lsn }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quarantine' as const), place, lsn }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('erase' as const),
      key: fc.constantFrom(...ARBITRARY_KEYS),
      through: fc.nat(600_000).map((ms) => stampAt(ms)),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
)

/** What a log is, without any cleverness. */
class Model {
  readonly groups: (readonly Operation[])[] = []
  readonly states: Record<DatabasePlace, ('pending' | 'held' | 'quarantined' | 'done')[]> = {
    primary: [],
    backup: [],
  }

  pending(at: DatabasePlace, key: string): readonly Operation[] {
    return this.groups.flatMap((group, i) =>
      this.states[at][i] === 'done' ? [] : group.filter((operation) => operation.key === key),
    )
  }

  readable(at: DatabasePlace): readonly Lsn[] {
    return this.states[at].flatMap((state, i) => (state === 'pending' ? [i + 1] : []))
  }

  apply(action: Step): void {
    if (action.kind === 'append') {
      this.groups.push(action.group)
      for (const at of DATABASE_PLACES) {
        this.states[at].push(action.hold.includes(at) ? 'held' : 'pending')
      }
    } else if (action.kind === 'erase') {
      const throughOf = throughOfKey(action)
      this.groups.forEach((group, i) => {
        this.groups[i] = withoutErased(group, throughOf) ?? group
      })
    } else if (action.kind === 'reopen') {
      for (const at of DATABASE_PLACES) {
        this.states[at] = this.states[at].map((state) => (state === 'held' ? 'pending' : state))
      }
    } else {
      const states = this.states[action.place]
      const i = action.lsn - 1
      const state = states[i]
      if (state === undefined) return
      if (action.kind === 'acknowledge') states[i] = 'done'
      if (action.kind === 'release' && state === 'held') states[i] = 'pending'
      if (action.kind === 'quarantine' && state !== 'done') states[i] = 'quarantined'
    }
  }
}

export function properties({ open, persistent, propertyRuns }: WalContext): void {
  test('any sequence of calls leaves what a plain list would have', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const fixture = await open()
        const model = new Model()
        let wal = fixture.create()
        await wal.open(WRITER)
        try {
          for (const action of steps) {
            if (action.kind === 'erase' && wal.erase === undefined) continue
            model.apply(action)
            if (action.kind === 'reopen') {
              await wal.close()
              if (persistent) wal = fixture.create()
              await wal.open(WRITER)
              if (!persistent) releaseAll(wal, model)
            } else await run(wal, action)
          }
          await compare(wal, model)
        } finally {
          await wal.close()
          await fixture.dispose?.()
        }
      }),
      { numRuns: propertyRuns },
    )
  })
}

function throughOfKey({ key, through }: Step & { readonly kind: 'erase' }): ThroughOf {
  return (name) => (name === key ? through : undefined)
}

/** A log in memory keeps its holds: they are those of the same process. */
function releaseAll(wal: WAL, model: Model): void {
  const all = model.groups.map((_, i) => i + 1)
  for (const at of DATABASE_PLACES) wal.release(at, all)
}

async function run(wal: WAL, action: Step): Promise<void> {
  switch (action.kind) {
    case 'append':
      await wal.append(action.group, { hold: action.hold })
      return
    case 'acknowledge':
      wal.acknowledge(action.place, [action.lsn])
      return
    case 'release':
      wal.release(action.place, [action.lsn])
      return
    case 'quarantine':
      await wal.quarantine(action.place, action.lsn, 'poison')
      return
    case 'erase': {
      const erased = await wal.erase?.(throughOfKey(action))
      expect(erased?.pending ?? []).toEqual([])
      return
    }
    case 'reopen':
      return
    default:
      throw new Error(`unexpected step ${JSON.stringify(action satisfies never)}`)
  }
}

async function compare(wal: WAL, model: Model): Promise<void> {
  for (const at of DATABASE_PLACES) {
    const entries = await readAll(wal, at)
    expect(entries.map((entry) => entry.lsn)).toEqual(model.readable(at))
    for (const entry of entries) expect(entry.operations).toEqual(model.groups[entry.lsn - 1])
    for (const key of ARBITRARY_KEYS) {
      const expected = model.pending(at, key)
      expect(await wal.pending(at, key)).toEqual(expected)
      expect(wal.hasPending(at, key)).toBe(expected.length > 0)
    }
    const lacking = ARBITRARY_KEYS.filter((key) => model.pending(at, key).length > 0)
    expect(pendingKeys(wal, at)).toEqual([...lacking].sort())
    const stats = wal.stats().places[at]
    expect(stats.pendingEntries).toBe(model.states[at].filter((s) => s !== 'done').length)
    expect(stats.quarantinedEntries).toBe(
      model.states[at].filter((s) => s === 'quarantined').length,
    )
    const first = model.states[at].findIndex((state) => state !== 'done')
    expect(stats.cursor).toBe(first === -1 ? model.groups.length : first)
  }
}
