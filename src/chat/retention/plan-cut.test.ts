import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Item } from '../../core/merge.ts'
import { stampAt } from '../../testing/backend/operations.ts'
import { toolUseOf } from '../turns/tool-use.ts'
import { planCut, type Cut, type RetainedItem } from './plan-cut.ts'

/** `m`: a message. `t`: a tool result. */
async function* messages(kinds: string): AsyncGenerator<RetainedItem> {
  for (const [i, kind] of kinds.split('').entries()) {
    const item: Item = { id: String(i), position: stampAt(i * 1000) }
    yield { item, use: toolUseOf({ role: kind === 't' ? 'tool' : 'user', content: '' }) }
  }
}

async function cut(
  kinds: string,
  { old = 0, excess = 0, messagesMax = 1000 } = {},
): Promise<number> {
  const cutoff = old === 0 ? undefined : stampAt(old * 1000)
  return (await planCut(messages(kinds), { cutoff, excess, messagesMax }))?.count ?? 0
}

test('messages that are too old go, and with them the tool results that follow', async () => {
  expect(await cut('mmmm', { old: 2 })).toBe(2)
  expect(await cut('mmtttm', { old: 2 })).toBe(5)
  expect(await cut('mmtttm', { old: 3 })).toBe(5)
  expect(await cut('mtt', { old: 1 })).toBe(3)
  expect(await cut('mmm', { old: 99 })).toBe(3)
})

test('of too many messages the group that the limit falls into stays whole', async () => {
  expect(await cut('mmmm', { excess: 2 })).toBe(2)
  expect(await cut('mmtttm', { excess: 3 })).toBe(1)
  expect(await cut('mmtttm', { excess: 5 })).toBe(5)
  expect(await cut('mttt', { excess: 2 })).toBe(0)
})

test('the stricter of both limits counts', async () => {
  expect(await cut('mmmmmm', { old: 4, excess: 2 })).toBe(4)
  expect(await cut('mmmmmm', { old: 2, excess: 4 })).toBe(4)
  expect(await cut('mmtttm', { old: 2, excess: 3 })).toBe(5)
})

test('nothing goes without a reason, also where a conversation begins with a tool result', async () => {
  expect(await cut('tmm')).toBe(0)
  expect(await cut('tttm', { excess: 1 })).toBe(0)
  expect(await cut('', { old: 5 })).toBe(0)
})

test('a pass that looks at a part cuts between groups, and passes end with what one would', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('m', 't', 'm'), { maxLength: 40 }),
      fc.nat(40),
      fc.nat(40),
      fc.integer({ min: 8, max: 12 }),
      async (list, old, surplus, messagesMax) => {
        // Groups are smaller than a pass.
        const kinds = `m${list.join('')}`.replaceAll(/t{6,}/g, 'tttt')
        const excess = Math.min(surplus, kinds.length - 1)
        const whole = await cut(kinds, { old, excess })
        const oldCount = Math.min(old, kinds.length)
        expect(whole).toBeGreaterThanOrEqual(oldCount)
        if (whole > oldCount && whole > excess) expect(kinds.slice(oldCount, whole)).toMatch(/^t+$/)
        if (whole < kinds.length && whole > 0) expect(kinds[whole]).toBe('m')
        let done = 0
        for (;;) {
          const from = done
          const rest = kinds.slice(from)
          const cutoff = stampAt(old * 1000)
          const left = Math.max(0, excess - from)
          const items = skip(messages(kinds), from)
          const part: Cut | undefined = await planCut(items, { cutoff, excess: left, messagesMax })
          if (part === undefined) break
          expect(part.count).toBeLessThanOrEqual(rest.length)
          done += part.count
        }
        expect(done).toBe(whole)
      },
    ),
    { numRuns: 500 },
  )
})

async function* skip<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let i = 0
  for await (const item of items) if (i++ >= count) yield item
}
