/*
 * What branches promise, on any engine: random programs of saves, forks, edits, removals, clears, truncations
 * and alternatives against a model in which every conversation is a list of its own.
 */
import { expect, test } from 'vitest'
import type { ChatHistory } from '../../src/index.ts'

/** What a suite runs on. */
export interface BranchesRig {
  readonly name: string
  /** A history on databases of its own; closed by the caller of `open`. */
  readonly open: () => Promise<ChatHistory>
  readonly seeds: readonly number[]
  readonly steps: number
}

interface Said {
  readonly id: string
  readonly content: string
}

/** Numbers that look random, the same for the same seed. */
export function numbersOf(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 + 1
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return (state >>> 0) % below
  }
}

export function branchesSuite({ name, open, seeds, steps }: BranchesRig): void {
  for (const seed of seeds) {
    test(`${name}: conversations and their forks are as if each was a copy, seed ${seed}`, async () => {
      const history = await open()
      const model = new Map<string, Said[]>([['main', []]])
      const below = numbersOf(seed)
      let made = 0
      const one = <T>(items: readonly T[]): T => items[below(items.length)]!
      for (let step = 0; step < steps; step++) {
        const id = one([...model.keys()])
        const said = model.get(id)!
        const kind = said.length === 0 ? 0 : below(14)
        if (kind <= 4) {
          const count = 1 + below(4)
          const messages = Array.from({ length: count }, () => {
            return { id: `m${made++}`, role: 'user', content: `said ${made}` } as const
          })
          await history.saveMessages(id, messages)
          said.push(...messages.map(({ id: of, content }) => ({ id: of, content })))
        } else if (kind <= 7) {
          const at = below(said.length)
          const as = `fork-${made++}`
          const { messageId } = await history.fork(id, { from: said[at]!.id, as })
          expect(messageId).toBe(said[at]!.id)
          model.set(as, said.slice(0, at + 1))
        } else if (kind <= 9) {
          const at = below(said.length)
          const content = `edited ${made++}`
          await history.updateMessage(id, said[at]!.id, { role: 'user', content })
          said[at] = { id: said[at]!.id, content }
        } else if (kind === 10) {
          const [gone] = said.splice(below(said.length), 1)
          await history.deleteMessage(id, gone!.id)
        } else if (kind === 11) {
          const at = below(said.length)
          const { removed } = await history.truncate(id, { from: said[at]!.id })
          expect(removed).toBe(said.splice(at).length)
        } else if (kind === 12) {
          const at = below(said.length)
          const message = { id: `m${made++}`, role: 'user', content: `again ${made}` } as const
          const { kept } = await history.editAndResend(id, said[at]!.id, message)
          model.set(kept, [...said])
          said.splice(at, Infinity, { id: message.id, content: message.content })
        } else if (below(3) === 0) {
          await history.clearHistory(id)
          model.delete(id)
          model.set(`main-${made++}`, [])
        } else {
          const at = below(said.length)
          const content = `alternative ${made++}`
          await history.addAlternative(id, said[at]!.id, { role: 'assistant', content })
          said[at] = { id: said[at]!.id, content }
        }
        if (step % 5 === 4 || step === steps - 1) await compare(history, model, below)
      }
    })
  }
}

async function compare(
  history: ChatHistory,
  model: ReadonlyMap<string, readonly Said[]>,
  below: (below: number) => number,
): Promise<void> {
  for (const [id, said] of model) {
    const limit = 1 + below(4)
    const all = await history.getHistory(id, { limit: 1000 })
    expect(all.messages.map(shown), id).toEqual(said)
    expect(all.nextCursor).toBeUndefined()
    for (const order of ['newest', 'oldest'] as const) {
      const messages: Said[] = []
      let cursor: string | undefined
      do {
        const bound = order === 'newest' ? 'before' : 'after'
        const page = await history.getHistory(id, {
          order,
          limit,
          ...(cursor && { [bound]: cursor }),
        })
        messages.push(...page.messages.map(shown))
        cursor = page.nextCursor
        if (cursor !== undefined) expect(page.messages.length, `${id} ${order}`).toBe(limit)
      } while (cursor !== undefined)
      expect(order === 'newest' ? messages.reverse() : messages, `${id} ${order}`).toEqual(said)
    }
    expect(await history.countMessages(id)).toBe(said.length)
    for (const { id: of, content } of said) {
      expect((await history.getMessage(id, of))?.content).toBe(content)
    }
    const { messages } = await history.window(id, { maxMessages: 3 })
    expect(messages.map(shown)).toEqual(said.slice(-3))
  }
  await compareFound(history, model)
}

/** Messages by their ids alone, in the conversations that are named, and anywhere. */
async function compareFound(
  history: ChatHistory,
  model: ReadonlyMap<string, readonly Said[]>,
): Promise<void> {
  const ids = [...new Set([...model.values()].flat().map(({ id }) => id))]
  const there = ids.flatMap((id) =>
    [...model].flatMap(([conversationId, said]) =>
      said.filter((one) => one.id === id).map((one) => ({ conversationId, ...one })),
    ),
  )
  const asked = [...ids, 'nobody']
  const named = await history.findMessages(asked, { conversationIds: [...model.keys()] })
  const list = named.messages.map(({ conversationId, message }) => {
    return { conversationId, ...shown(message) }
  })
  expect(list).toEqual(there)
  const { messages, done } = await history.findMessages(asked)
  expect(messages.map(({ message }) => message.id)).toEqual(ids)
  for (const { conversationId, message } of messages) {
    expect(model.get(conversationId)).toContainEqual(shown(message))
  }
  expect(done).toBe(true)
}

function shown({ id, content }: { readonly id: string; readonly content?: unknown }): Said {
  return { id, content: content as string }
}
