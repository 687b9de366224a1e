import { onTestFinished } from 'vitest'
import type { StreamDelta } from '../../src/chat/streams/step.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'

/** How most streams begin. */
export const ASSISTANT = { role: 'assistant' } as const
const HEALTH = {
  type: 'circuit-breaker',
  config: { circuitOpenDuration: 100, healthCheckInterval: 50 },
} as const

export interface Rig {
  readonly primary: FaultyBackend
  readonly backup: FaultyBackend
  readonly open: (options?: ChatHistoryOptions) => Promise<ChatHistory>
}

/** Databases in memory that several stores share, and each way to them can be cut. */
export function streamRig(): Rig {
  const primary = faultyBackend(new DurableMemoryBackend())
  const backup = faultyBackend(new DurableMemoryBackend())
  const open = async (options: ChatHistoryOptions = {}): Promise<ChatHistory> => {
    const history = await openChatHistory({
      primary: shared(primary),
      backup: shared(backup),
      wal: 'memory:',
      health: HEALTH,
      logger: false,
      drainTimeout: 200,
      write: { type: 'idempotent', config: { timeout: 300, maxRetries: 0 } },
      ...options,
    })
    onTestFinished(() => history.close())
    return history
  }
  return { primary, backup, open }
}

/** A database that stays when one of its stores closes. */
function shared<Backend extends object>(backend: Backend): Backend {
  return new Proxy(backend, {
    get: (target, name) => (name === 'disconnect' ? async () => {} : Reflect.get(target, name)),
  })
}

/** A message of which so much was stored, whose writer has gone. */
export async function leftBehind(
  history: ChatHistory,
  id: string,
  ...deltas: StreamDelta[]
): Promise<void> {
  const stream = await history.startMessage('c', { ...ASSISTANT, id })
  for (const delta of deltas) await stream.append(delta)
  await history.close()
}

/** What is in the conversation, with how far each message has come. */
export async function contents(history: ChatHistory): Promise<readonly unknown[]> {
  const { messages } = await history.getHistory('c')
  return messages.map(({ content, status }) => [content, status])
}
