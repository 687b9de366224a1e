import type { QueueEntry } from 'chat'
import type { EverthreadChatState } from '../../src/adapters/chat-sdk.ts'
import type { ChatHistory } from '../../src/index.ts'

/** What each process does so many times. */
export const TIMES = 6

/** What a process got. */
export interface Got {
  /** Keys that it was told to have set. */
  readonly won: readonly number[]
  /** Messages that it took out of the queue. */
  readonly taken: readonly unknown[]
}

/** Does what only one process at a time, or one of all, may do, while others do the same. */
export async function workOnState(
  history: ChatHistory,
  state: EverthreadChatState,
  name: string,
): Promise<Got> {
  const won: number[] = []
  const taken: unknown[] = []
  for (let i = 0; i < TIMES; i++) {
    if (await state.setIfNotExists(`key ${i}`, name, 600_000)) won.push(i)
    await countOne(history, state)
    await state.appendToList('list', `${name} ${i}`, { ttlMs: 600_000 })
    await state.enqueue('thread', entryOf(`${name} ${i}`, history.store.now()), 1_000)
    if (i % 2 === 1) taken.push((await state.dequeue('thread'))?.message)
  }
  return { won, taken }
}

/** Reads a number and writes the next one, which is one too few where two do it at once. */
async function countOne(history: ChatHistory, state: EverthreadChatState): Promise<void> {
  for (;;) {
    const lock = await state.acquireLock('counter', 60_000)
    if (lock === null) {
      await history.store.pause(3)
      continue
    }
    const count = (await state.get<number>('count')) ?? 0
    await state.set('count', count + 1)
    if (!(await state.extendLock(lock, 60_000))) throw new Error('the lock was lost')
    return await state.releaseLock(lock)
  }
}

function entryOf(message: string, nowMs: number): QueueEntry {
  return {
    message: message as unknown,
    enqueuedAt: nowMs,
    expiresAt: nowMs + 600_000,
  } as QueueEntry
}
