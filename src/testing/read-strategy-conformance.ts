import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistoryOptions } from '../chat/open-chat-history.ts'
import type { ChatHistory } from '../chat/chat-history.ts'
import type { ReadChoice } from '../strategy/strategy-factory.ts'
import { DurableMemoryBackend } from './durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from './faulty-backend.ts'

export interface ReadStrategyConformanceOptions {
  readonly name: string
  readonly read: ReadChoice
}

interface Rig {
  readonly history: ChatHistory
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
}

/** Outages end at once in the suite, so circuits need not wait for servers to start. */
const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 50, healthCheckInterval: 20 },
} as const

async function rig(read: ReadChoice, options: ChatHistoryOptions = {}): Promise<Rig> {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const history = await openChatHistory({
    primary,
    backup,
    wal: 'memory:',
    read,
    health: HEALTH,
    drainTimeout: 100,
    ...options,
  })
  onTestFinished(() => history.close())
  return { history, primary, backup }
}

async function contents(history: ChatHistory): Promise<unknown[]> {
  const seen: unknown[] = []
  for await (const { content } of history.messages('c')) seen.push(content)
  return seen
}

async function say(history: ChatHistory, content: string): Promise<string> {
  return (await history.saveMessage('c', { role: 'user', content })).id
}

/** What every read strategy promises, whichever place answers. */
export function readStrategyConformance({ name, read }: ReadStrategyConformanceOptions): void {
  describe(`${name}: ReadPort contract`, () => {
    test('a quiet store answers completely', async () => {
      const { history } = await rig(read)
      await say(history, 'hello')
      const page = await history.getHistory('c')
      expect(page).toMatchObject({ complete: true, messages: [{ content: 'hello' }] })
    })

    test.each(['refused', 'hung', 'reset'] as const)(
      'own messages are read while the primary is %s, before its backup was flushed',
      async (mode) => {
        const { history, primary, backup } = await rig(read)
        backup.setMode('hung')
        await say(history, 'one')
        primary.setMode(mode)
        backup.setMode('up')
        await say(history, 'two')
        expect(await contents(history)).toEqual(['one', 'two'])
        expect((await history.getHistory('c')).complete).toBe(false)
        expect(await history.countMessages('c')).toBe(2)
        const { conversations } = await history.listConversations()
        expect(conversations).toHaveLength(1)
      },
    )

    test('own messages of an outage are read while the primary catches up, and after', async () => {
      const { history, primary } = await rig(read)
      primary.setMode('refused')
      for (let i = 0; i < 10; i++) await say(history, `${i}`)
      primary.setMode('up')
      const all = Array.from({ length: 10 }, (_, i) => `${i}`)
      expect(await contents(history)).toEqual(all)
      await history.flush()
      expect(await contents(history)).toEqual(all)
    })

    test('an outage of both databases is one error with both causes, never an empty history', async () => {
      const { history, primary, backup } = await rig(read)
      await say(history, 'one')
      primary.setMode('refused')
      backup.setMode('refused')
      for (const call of [
        () => history.getHistory('c'),
        () => history.countMessages('c'),
        () => history.listConversations(),
        () => history.getMessage('c', 'x'),
        () => history.updateMessage('c', 'x', { role: 'user', content: '' }),
      ]) {
        await expect(call()).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringMatching(/primary[^]*backup|backup[^]*primary/),
        })
      }
    })

    test('a message that an incomplete read does not find is UNAVAILABLE to change', async () => {
      const { history, primary } = await rig(read)
      primary.setMode('refused')
      await expect(history.deleteMessage('c', 'unknown')).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      })
    })

    test('what was cleared is not shown by the place that lacks the clear', async () => {
      const { history, primary, backup } = await rig(read)
      await say(history, 'old')
      await history.flush()
      backup.setMode('refused')
      await history.clearHistory('c')
      backup.setMode('up')
      primary.setMode('refused')
      expect(await contents(history)).toEqual([])
      expect((await history.listConversations()).conversations).toEqual([])
    })

    // Goal: pages equal the merged list, whatever a place lacks.
    // Method: a random history with edits, removals and clears, each with its own places out; then
    // a walk by pages of random size, with either place out, against what was acknowledged.
    test('a walk by pages shows every acknowledged message once and in order', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              what: fc.constantFrom('say', 'say', 'say', 'edit', 'remove', 'clear'),
              out: fc.constantFrom('none', 'none', 'primary', 'backup'),
              pick: fc.nat(50),
            }),
            { minLength: 1, maxLength: 25 },
          ),
          fc.integer({ min: 1, max: 6 }),
          fc.constantFrom('none', 'primary', 'backup'),
          async (steps, limit, outAtRead) => {
            const { history, primary, backup } = await rig(read)
            const set = (out: string): void => {
              primary.setMode(out === 'primary' ? 'refused' : 'up')
              backup.setMode(out === 'backup' ? 'refused' : 'up')
            }
            let expected: { id: string; content: string }[] = []
            for (const [i, { what, out, pick }] of steps.entries()) {
              set(out)
              const target = expected[pick % Math.max(1, expected.length)]
              if (what === 'clear') {
                await history.clearHistory('c')
                expected = []
              } else if (what === 'say' || target === undefined) {
                expected.push({ id: await say(history, `${i}`), content: `${i}` })
              } else if (what === 'edit') {
                const content = `${target.content}+${i}`
                await history.updateMessage('c', target.id, { role: 'user', content })
                target.content = content
              } else {
                await history.deleteMessage('c', target.id)
                expected = expected.filter((message) => message !== target)
              }
            }
            set(outAtRead)
            expect(await walk(history, limit)).toEqual(expected)
            await history.close()
          },
        ),
        { numRuns: 60 },
      )
    })
  })
}

async function walk(
  history: ChatHistory,
  limit: number,
): Promise<{ id: string; content: unknown }[]> {
  const found: { id: string; content: unknown }[] = []
  let before: string | undefined
  do {
    const page = await history.getHistory('c', {
      limit,
      ...(before !== undefined && { before }),
    })
    found.unshift(...page.messages.map(({ id, content }) => ({ id, content })))
    before = page.nextCursor
  } while (before !== undefined)
  return found
}
