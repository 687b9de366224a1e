import { expect, test } from 'vitest'
import type { Item } from '../../core/merge.ts'
import { stampMs } from '../../core/stamp.ts'
import { stampAt } from '../../testing/backend/operations.ts'
import type { JsonText } from '../../core/json.ts'
import { Replay } from './replay.ts'
import { claimId } from './stream-items.ts'

const MARK = { w: 'first', l: 1_000 }

function item(at: number, id: string, value: object): Item {
  const position = stampAt(at)
  return { id, position, appendedAt: position, appended: JSON.stringify(value) as JsonText }
}

function chunk(at: number, n: number, w = 'first', text = `${w}${n}`): Item {
  return item(at, `i${at}`, { w, n, u: at + 1_000, d: [text] })
}

function texts(replay: Replay, ...items: Item[]): string[] {
  return replay.take(items).flatMap(({ d }) => d.map(String))
}

test('chunks come in the order of their numbers, each once', () => {
  const replay = new Replay(MARK, stampAt(0))
  expect(texts(replay, chunk(2, 1), chunk(1, 0), chunk(3, 1))).toEqual(['first0', 'first1'])
  expect(texts(replay, chunk(2, 1), chunk(4, 2))).toEqual(['first2'])
  expect(replay.count).toBe(3)
  expect(replay.until).toBe(1_004)
})

test('what is behind a gap waits, and says that its writer lives', () => {
  const replay = new Replay(MARK, stampAt(0))
  expect(texts(replay, chunk(1, 0), chunk(3, 2))).toEqual(['first0'])
  expect([replay.hasGap, replay.until, replay.position]).toEqual([true, 1_003, stampAt(1)])
  expect(texts(replay, chunk(2, 1))).toEqual(['first1', 'first2'])
  expect(replay.hasGap).toBe(false)
})

test('the next writer goes on where its claim says, and the one before is not heard any more', () => {
  const replay = new Replay(MARK, stampAt(0))
  const claim = item(3, claimId(1), { w: 'second', n: 1, u: 5_000 })
  const late = chunk(2, 1)
  expect(texts(replay, late, claim, chunk(1, 0), chunk(4, 0, 'second'))).toEqual([
    'first0',
    'second0',
  ])
  expect([replay.epoch, replay.count]).toEqual([1, 1])
})

test('of one that was taken over nothing is shown behind what is missing of it', () => {
  const replay = new Replay(MARK, stampAt(0))
  const claim = item(3, claimId(1), { w: 'second', n: 2, u: 5_000 })
  expect(texts(replay, chunk(1, 0), claim, chunk(4, 0, 'second'))).toEqual(['first0'])
  expect(texts(replay, chunk(2, 1))).toEqual(['first1', 'second0'])
})

test('a lease begins at the position, and with the claim', () => {
  const replay = new Replay(MARK, stampAt(7_000))
  expect(replay.until).toBe(stampMs(stampAt(8_000)))
  replay.take([item(7_001, claimId(1), { w: 'second', n: 0, u: 20_000 })])
  expect(replay.until).toBe(20_000)
})

test('what is no delta is damage', () => {
  const replay = new Replay(MARK, stampAt(0))
  expect(() => replay.take([item(1, 'x', { w: 'first' })])).toThrow('damaged')
})
