// Goal: who follows a fork ends with what the fork shows, also of the messages that it shares, whoever changes them.
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ChangeEvent } from '../../src/chat/changes/change.ts'
import type { ChatHistory } from '../../src/index.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { ASSISTANT, streamRig } from '../support/stream-rig.ts'

/** A consumer as the documentation describes it. */
class Consumer {
  readonly #history: ChatHistory
  readonly #of: string
  readonly messages = new Map<string, unknown>()
  readonly told: ChangeEvent['type'][] = []

  constructor(history: ChatHistory, of: string) {
    this.#history = history
    this.#of = of
  }

  async take(change: ChangeEvent): Promise<void> {
    this.told.push(change.type)
    if (change.type === 'message' || change.type === 'updated') {
      this.messages.set(change.message.id, change.message.content)
    } else if (change.type === 'removed') this.messages.delete(change.id)
    else if (change.type === 'cleared') {
      this.messages.clear()
    } else if (change.type === 'resync') {
      const { messages } = await this.#history.getHistory(this.#of)
      this.messages.clear()
      for (const { id, content } of messages) this.messages.set(id, content)
    }
  }

  async isRight(): Promise<void> {
    const { messages } = await this.#history.getHistory(this.#of)
    const shown = messages.map(({ id, content }) => [id, content])
    await vi.waitFor(() => expect([...this.messages]).toEqual(shown), { timeout: 8_000 })
  }
}

async function following(history: ChatHistory, conversationId: string): Promise<Consumer> {
  const consumer = new Consumer(history, conversationId)
  const changes = history.subscribe({ conversationId, since: 'beginning' })
  onTestFinished(() => changes.close())
  void (async () => {
    for await (const change of changes) await consumer.take(change)
  })()
  await eventually(() => expect(consumer.told).toContain('ready'))
  return consumer
}

type Change = (history: ChatHistory) => Promise<unknown>

test.each<[string, Change]>([
  ['edits a message', (h) => h.updateMessage('f', 'q', { role: 'user', content: 'Well?' })],
  ['removes a message', (h) => h.deleteMessage('f', 'q')],
  ['is cut', (h) => h.truncate('f', { from: 'a' })],
  ['has another answer', (h) => h.addAlternative('f', 'a', { ...ASSISTANT, content: 'Hi' })],
  ['is sent again', (h) => h.editAndResend('f', 'a', { ...ASSISTANT, content: 'Hi' })],
  ['is cleared', (h) => h.clearHistory('f')],
])(
  'a fork that %s of what it shares',
  async (_name, change) => {
    const { open } = streamRig()
    const [one, two] = [await open(), await open()]
    await one.saveMessage('c', { id: 'q', role: 'user', content: 'Hello?' })
    await one.saveMessage('c', { ...ASSISTANT, id: 'a', content: 'Hello.' })
    const consumers = [await following(one, 'f'), await following(two, 'f')]
    await two.fork('c', { as: 'f' })
    for (const consumer of consumers) await consumer.isRight()
    await change(two)
    for (const consumer of consumers) await consumer.isRight()
  },
  60_000,
)
