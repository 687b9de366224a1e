/* What `bench/windows.ts` measures, opened together in one process: the reads are the same but for one thing. */
import { join } from 'node:path'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import type { Subject } from '../support/measure.ts'

export const PAGE = 'getHistory, 50 messages'
export const WINDOW = 'window, 50 messages'
export const TOKENS = 'window, 50 messages and countTokens'
export const SYSTEM = 'window, 50 messages and keepSystem'
export const ALIGNED = 'getHistory, 50 messages, alignTurns'

const READS: Readonly<
  Record<
    string,
    (history: ChatHistory, id: string) => Promise<{ readonly messages: readonly object[] }>
  >
> = {
  [PAGE]: (history, id) => history.getHistory(id),
  [WINDOW]: (history, id) => history.window(id, { maxMessages: 50 }),
  [TOKENS]: (history, id) =>
    history.window(id, { maxTokens: 50, countTokens: () => 1, maxMessages: 50 }),
  [SYSTEM]: (history, id) => history.window(id, { maxMessages: 50, keepSystem: true }),
  [ALIGNED]: (history, id) => history.getHistory(id, { alignTurns: true }),
}

export interface Target {
  readonly directory: string
  readonly conversation: string
}

/** All of them on one store with two SQLite files. */
export async function reads({ directory, conversation }: Target): Promise<Subject[]> {
  const history = await openChatHistory({
    primary: `sqlite:${join(directory, 'primary.db')}`,
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
    reconcile: { interval: 3_600_000 },
  })
  return Object.entries(READS).map(([name, read]) => ({
    name,
    promise: '',
    run: async () => {
      const { messages } = await read(history, conversation)
      if (messages.length < 45) throw new Error(`${name} has ${messages.length} messages`)
    },
    close: () => history.close(),
  }))
}
