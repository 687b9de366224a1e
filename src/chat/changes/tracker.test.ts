// Goal: whoever is told what a tracker finds, and reads again what it says, always ends with what is there, also
// with gaps between looks, late arrivals and a cursor that is carried elsewhere. Method: random operations on a
// list, looks of every kind in between, and a consumer that keeps messages by id.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addSum, hashOf, markOf } from './mark.ts'
import type { JsonText } from '../../core/json.ts'
import {
  applyOperation,
  emptyState,
  itemValue,
  visibleItems,
  type KeyState,
} from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import { parseConversationCursor } from './change-cursor.ts'
import { Comparison, Summary } from './summary.ts'
import { OVERLAP_MS, RECENT_MESSAGES, Tracker, type Tracked, type View } from './tracker.ts'

const KEY = 'chat/0::c'
const START_MS = 1_750_000_000_000
const PAGE = 20

function stampAt(ms: number, n: number): Stamp {
  const time = (START_MS + ms).toString(16).padStart(12, '0')
  const tail = n.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}` as Stamp
}

/** A conversation, and one who follows it. */
class Rig {
  readonly state: KeyState = emptyState()
  readonly shown = new Map<string, string>()
  readonly doubled: string[] = []
  tracker = Tracker.fromBeginning(KEY)
  nowMs = 0
  #stamps = 0
  #cursor = this.tracker.cursor

  stamp(lateMs = 0): Stamp {
    return stampAt(Math.max(1, this.nowMs - lateMs), ++this.#stamps)
  }

  apply(operation: Operation): void {
    applyOperation(this.state, operation)
  }

  view(after: Stamp, through?: Stamp): View {
    const within = (position: Stamp): boolean =>
      position > after && (through === undefined || position <= through)
    return {
      after,
      through,
      items: visibleItems(this.state).filter(({ position }) => within(position)),
      gone: {
        deletedThrough: this.state.deletedThrough,
        removed: [...this.state.items.values()].flatMap(({ id, removedOf }) =>
          removedOf !== undefined && within(removedOf)
            ? [{ id, position: removedOf, removedOf }]
            : [],
        ),
      },
      complete: true,
      startedMs: this.nowMs,
      nowMs: START_MS + this.nowMs,
    }
  }

  /** A consumer takes so many of them. */
  take(told: readonly Tracked[], count = told.length): void {
    for (const { change, cursor } of told.slice(0, count)) {
      this.#cursor = cursor
      switch (change.type) {
        case 'message':
        case 'updated':
          if (change.type === 'message' && this.shown.get(change.item.id) === textOf(change.item)) {
            this.doubled.push(change.item.id)
          }
          this.shown.set(change.item.id, textOf(change.item))
          break
        case 'removed':
          this.shown.delete(change.id)
          break
        case 'cleared':
          for (const [id, text] of this.shown) {
            if (text.slice(0, 36) <= change.through) this.shown.delete(id)
          }
          break
        case 'resync':
          this.#readAgain(change.after ?? STAMP_MIN, change.before)
          break
        case 'ready':
      }
    }
  }

  #readAgain(after: Stamp, before: Stamp | undefined): void {
    const isWithin = (position: string): boolean =>
      position > after && (before === undefined || position < before)
    for (const [id, text] of this.shown) if (isWithin(text.slice(0, 36))) this.shown.delete(id)
    for (const item of visibleItems(this.state)) {
      if (isWithin(item.position)) this.shown.set(item.id, textOf(item))
    }
  }

  /** Another process goes on where the consumer is. */
  resume(): void {
    this.tracker = Tracker.resumed(KEY, parseConversationCursor(KEY, this.#cursor))
  }

  look(): void {
    this.take(this.tracker.absorb(this.view(this.tracker.floor)))
  }

  near(ms: number): void {
    const after = stampAt(Math.max(1, this.nowMs - ms), 0)
    this.take(
      this.tracker.absorb(this.view(after > this.tracker.floor ? after : this.tracker.floor)),
    )
  }

  pages(): void {
    let after = this.tracker.floor
    for (let isFirst = true; ; isFirst = false) {
      const { items } = this.view(after)
      const through = items.length > PAGE ? items[PAGE - 1]!.position : undefined
      const page = this.view(after, through)
      this.take(isFirst ? this.tracker.absorb(page) : this.tracker.absorbNext(page))
      if (through === undefined) return
      after = through
    }
  }

  compare(): void {
    const { comparison, version } = this.tracker.compare()
    for (const item of visibleItems(this.state)) {
      comparison.add(item.position, hashOf(item.id, markOf(item)))
    }
    this.take(this.tracker.compared(comparison, version) ?? [])
  }
}

function textOf(item: Parameters<typeof itemValue>[0]): string {
  return `${item.position}${itemValue(item)}`
}

const id = fc.integer({ min: 0, max: 150 })
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('append'), lateMs: fc.constant(0) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('append'),
      lateMs: fc.integer({ min: 0, max: 60_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('many'), count: fc.integer({ min: 1, max: 80 }) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('edit'), id }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('remove'), id }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('cut'), id }) },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant('wait'), ms: fc.integer({ min: 1, max: 20_000 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constantFrom('look', 'pages', 'compare', 'resume') }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant('near'), ms: fc.integer({ min: 1, max: 9_000 }) }),
  },
) as fc.Arbitrary<{ act: string; lateMs?: number; count?: number; id?: number; ms?: number }>

test('a consumer ends with what is there', () => {
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const rig = new Rig()
    let count = 0
    const append = (lateMs: number): void => {
      const position = rig.stamp(lateMs)
      const value = `"${++count}"` as JsonText
      rig.apply({
        kind: 'put',
        change: 'append',
        key: KEY,
        id: `m${count}`,
        position,
        stamp: position,
        value,
      })
    }
    let isResumed = false
    for (const { act, lateMs = 0, count: many = 0, id: which = 0, ms = 0 } of steps) {
      rig.nowMs += 10
      const items = [...rig.state.items.values()]
      const item = items[which % Math.max(1, items.length)]
      switch (act) {
        case 'append':
          append(lateMs)
          break
        case 'many':
          for (let i = 0; i < many; i++, rig.nowMs += 300) append(0)
          break
        case 'edit':
          if (item !== undefined) {
            const put = { kind: 'put', key: KEY, id: item.id, position: item.position } as const
            rig.apply({
              ...put,
              change: 'edit',
              stamp: rig.stamp(),
              value: `"e${which}"` as JsonText,
            })
          }
          break
        case 'remove':
          if (item !== undefined) {
            const put = { kind: 'put', key: KEY, id: item.id, position: item.position } as const
            rig.apply({ ...put, change: 'remove', stamp: rig.stamp() })
          }
          break
        case 'cut':
          if (item !== undefined) rig.apply({ kind: 'delete', key: KEY, stamp: item.position })
          break
        case 'wait':
          rig.nowMs += ms
          break
        case 'near':
          rig.near(ms)
          break
        case 'resume':
          isResumed = true
          rig.resume()
          break
        case 'look':
        case 'pages':
        case 'compare':
          rig[act]()
      }
    }
    rig.pages()
    rig.compare()
    rig.compare()
    const there = new Map(visibleItems(rig.state).map((each) => [each.id, textOf(each)]))
    expect(rig.shown).toEqual(there)
    if (!isResumed) expect(rig.doubled).toEqual([])
  })
  fc.assert(property, { numRuns: 3_000 })
}, 120_000)

test('whoever takes a part of what is found goes on behind that part', () => {
  const rig = new Rig()
  for (let i = 0; i < 1_000; i++, rig.nowMs += 1_000) {
    const position = rig.stamp()
    const at = { position, stamp: position, value: '1' as JsonText }
    rig.apply({ kind: 'put', change: 'append', key: KEY, id: `m${i}`, ...at })
  }
  rig.pages()
  for (const ms of [5_500, 800_500]) {
    const position = stampAt(ms, 1)
    const at = { position, stamp: position, value: '1' as JsonText }
    rig.apply({ kind: 'put', change: 'append', key: KEY, id: `late ${ms}`, ...at })
  }
  const { comparison, version } = rig.tracker.compare()
  for (const item of visibleItems(rig.state)) {
    comparison.add(item.position, hashOf(item.id, markOf(item)))
  }
  const told = rig.tracker.compared(comparison, version)!
  expect(told).toHaveLength(2)
  rig.take(told, 1)
  rig.resume()
  rig.pages()
  rig.compare()
  expect(rig.shown.size).toBe(1_002)
})

test('a place that lags takes no change back', () => {
  const rig = new Rig()
  const position = rig.stamp()
  const put = { kind: 'put', key: KEY, id: 'm', position } as const
  rig.apply({ ...put, change: 'append', stamp: position, value: '1' as JsonText })
  const before = rig.view(STAMP_MIN)
  rig.apply({ ...put, change: 'edit', stamp: rig.stamp(), value: '2' as JsonText })
  rig.look()
  expect(rig.tracker.absorb({ ...before, complete: false })).toEqual([])
  // Nor one that has nothing at all.
  const lagging = { ...before, items: [], complete: false, startedMs: 10 }
  expect(rig.tracker.absorb(lagging)).toEqual([])
})

test('what arrives late where a cut went through is read again', () => {
  const rig = new Rig()
  for (let i = 0; i < 1_000; i++, rig.nowMs += 1_000) {
    const position = rig.stamp()
    const at = { position, stamp: position, value: '1' as JsonText }
    rig.apply({ kind: 'put', change: 'append', key: KEY, id: `m${i}`, ...at })
  }
  rig.pages()
  rig.apply({ kind: 'delete', key: KEY, stamp: stampAt(400_500, 0) })
  rig.look()
  const position = stampAt(401_500, 1)
  const at = { position, stamp: position, value: '1' as JsonText }
  rig.apply({ kind: 'put', change: 'append', key: KEY, id: 'late', ...at })
  rig.compare()
  expect(rig.shown.has('late')).toBe(true)
})

test('of a clear nothing is left to be read again', () => {
  const rig = new Rig()
  for (let i = 0; i < 1_000; i++, rig.nowMs += 1_000) {
    const position = rig.stamp()
    const at = { position, stamp: position, value: '1' as JsonText }
    rig.apply({ kind: 'put', change: 'append', key: KEY, id: `m${i}`, ...at })
  }
  rig.pages()
  rig.apply({ kind: 'delete', key: KEY, stamp: rig.stamp() })
  const told = rig.tracker.absorb(rig.view(rig.tracker.floor))
  expect(told.map(({ change }) => change.type)).toEqual(['cleared'])
  const { comparison, version } = rig.tracker.compare()
  expect(rig.tracker.compared(comparison, version)).toEqual([])
})

test('only the latest messages are known one by one, and the rest costs little', () => {
  const rig = new Rig()
  for (let i = 0; i < 2_000; i++, rig.nowMs += 1_000) {
    const position = rig.stamp()
    const at = { position, stamp: position, value: '1' as JsonText }
    rig.apply({ kind: 'put', change: 'append', key: KEY, id: `m${i}`, ...at })
  }
  rig.pages()
  const behindFloor = rig.view(rig.tracker.floor).items.length
  expect(behindFloor).toBeLessThanOrEqual(Math.max(RECENT_MESSAGES, OVERLAP_MS / 1_000) + 1)
  expect(rig.tracker.cursor.length).toBeLessThan(256)
})

test('of a large conversation the parts become fewer, and still find what differs', () => {
  const summary = new Summary()
  const messages = Array.from({ length: 300_000 }, (_, i) => [stampAt(2 * i, i), i] as const)
  for (const [position, hash] of messages) summary.advance(position, hash)
  expect(summary.parts.length).toBeLessThanOrEqual(1_000)
  expect(summary.total!.sum).toBe(messages.reduce((sum, [, hash]) => addSum(sum, hash), 0))
  const same = new Comparison(summary.parts)
  for (const [position, hash] of messages) same.add(position, hash)
  expect(same.end().differing).toEqual([])
  const other = new Comparison(summary.parts)
  for (const [position, hash] of messages) if (hash !== 1_000) other.add(position, hash)
  expect(other.end().differing).toHaveLength(1)
})
