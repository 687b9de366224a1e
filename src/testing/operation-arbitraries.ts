import fc from 'fast-check'
import type { JsonText } from '../core/json.ts'
import type { Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'
import { stampAt } from './backend/operations.ts'

/** Few keys, ids and moments, so that operations meet. */
export const ARBITRARY_KEYS: readonly string[] = ['a', 'a%_\\b', 'chat:é😀', '__proto__']

/** Steps of 17 s: both sides of every coarse bound, in a list of ten minutes. */
const STEP_MS = 17_000
const ITEMS = 8
const VERSIONS = 4
const MOMENTS: number = ITEMS * VERSIONS + 6

/** Position of an item's version; no two items share one. */
function positionOf(item: number, version: number): Stamp {
  return stampAt((item + ITEMS * version) * STEP_MS)
}

/** Own ids, callers' ids, and callers' ids that are the text of a stamp: also of a later one. */
export const ARBITRARY_IDS: readonly string[] = [
  positionOf(0, 0),
  positionOf(1, 0),
  positionOf(0, 1),
  positionOf(3, 2),
  'caller',
  'it\'s "quoted" %_\\ \u{1f600}',
  'ffffffff-ffff-7fff-bfff-ffffffffffff',
  positionOf(7, 0).toUpperCase(),
]

const version = fc.nat(VERSIONS - 1)
const moment = fc.nat(MOMENTS)

type Where = readonly [key: string, item: number]

const append = (where: fc.Arbitrary<Where>): fc.Arbitrary<Operation> =>
  fc.tuple(where, version).map(([[name, i], v]) => {
    const position = positionOf(i, v)
    const id = ARBITRARY_IDS[i]!
    const value = JSON.stringify(`appended ${i} ${v} \0 \ud800`) as JsonText
    return { kind: 'put', change: 'append', key: name, id, position, stamp: position, value }
  })

/** An edit is stamped after the position that its writer had read, and once. */
const edit = (where: fc.Arbitrary<Where>): fc.Arbitrary<Operation> =>
  fc.tuple(where, version, fc.nat(20)).map(([[name, i], v, later]) => {
    const position = positionOf(i, v)
    const stamp = stampAt((i + ITEMS * v + later) * STEP_MS, 16 + i + ITEMS * v)
    const value = JSON.stringify({ edited: [i, v, later] }) as JsonText
    const id = ARBITRARY_IDS[i]!
    return { kind: 'put', change: 'edit', key: name, id, position, stamp, value }
  })

const remove = (where: fc.Arbitrary<Where>): fc.Arbitrary<Operation> =>
  fc.tuple(where, version, fc.nat(20)).map(([[name, i], v, later]) => {
    const position = positionOf(i, v)
    const stamp = stampAt((i + ITEMS * v + later) * STEP_MS, 3)
    const id = ARBITRARY_IDS[i]!
    return { kind: 'put', change: 'remove', key: name, id, position, stamp }
  })

const set = (where: fc.Arbitrary<Where>): fc.Arbitrary<Operation> =>
  fc.tuple(where, moment).map(([[name], at]) => {
    const value = JSON.stringify({ set: at }) as JsonText
    return { kind: 'set', key: name, stamp: stampAt(at * STEP_MS, 1), value }
  })

const clear = (where: fc.Arbitrary<Where>): fc.Arbitrary<Operation> =>
  fc.tuple(where, moment).map(([[name], at]) => {
    return { kind: 'delete', key: name, stamp: stampAt(at * STEP_MS, 2) }
  })

/**
 * Any operation that the protocol may make: equal stamps have equal contents, and an edit or a
 * removal is stamped after the position that it carries.
 */
export const anyOperation: fc.Arbitrary<Operation> = operationOf(
  fc.tuple(fc.constantFrom(...ARBITRARY_KEYS), fc.nat(ITEMS - 1)),
  { append: 6, edit: 3, remove: 1, set: 2, clear: 1 },
)

/** The same of one key and two ids that come again and again, with clears in between. */
const contended: fc.Arbitrary<Operation> = operationOf(fc.constantFrom<Where>(['a', 0], ['a', 4]), {
  append: 4,
  edit: 3,
  remove: 2,
  set: 0,
  clear: 2,
})

function operationOf(
  where: fc.Arbitrary<Where>,
  weights: Record<'append' | 'edit' | 'remove' | 'set' | 'clear', number>,
): fc.Arbitrary<Operation> {
  return fc.oneof(
    { arbitrary: append(where), weight: weights.append },
    { arbitrary: edit(where), weight: weights.edit },
    { arbitrary: remove(where), weight: weights.remove },
    { arbitrary: set(where), weight: weights.set },
    { arbitrary: clear(where), weight: weights.clear },
  )
}

/** Some operations: of everything, or of ids that come again and again. */
export function someOperations(maxLength: number, minLength = 0): fc.Arbitrary<Operation[]> {
  return fc.oneof(
    fc.array(anyOperation, { minLength, maxLength }),
    fc.array(contended, { minLength, maxLength: Math.min(12, maxLength) }),
  )
}

/** A list of operations and the same operations in another order, some twice. */
export const shuffledOperations: fc.Arbitrary<readonly [Operation[], Operation[]]> = someOperations(
  40,
  1,
).chain((operations) =>
  fc.tuple(
    fc.constant(operations),
    fc.subarray(operations).chain((twice) => {
      const all = [...operations, ...twice]
      return fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })
    }),
  ),
)

/** The operations cut into groups of random sizes. */
export function grouped(
  operations: readonly Operation[],
  sizes: readonly number[],
): readonly (readonly Operation[])[] {
  const groups: Operation[][] = []
  let at = 0
  for (let i = 0; at < operations.length; i++) {
    const size = sizes[i % sizes.length]!
    groups.push(operations.slice(at, at + size))
    at += size
  }
  return groups
}

/** A range of the time line that cuts through the operations of `anyOperation`. */
export const anyRange: fc.Arbitrary<{ from: Stamp; to: Stamp }> = fc
  .tuple(moment, moment)
  .map(([a, b]) => ({
    from: stampAt(Math.min(a, b) * STEP_MS),
    to: stampAt((Math.max(a, b) + 1) * STEP_MS),
  }))
