// The adapter is a memory of Mastra's, by Mastra's own types.
import { InMemoryStore, MastraCompositeStore, type MemoryStorage } from '@mastra/core/storage'
import type { ChatHistory } from 'everthread'
import { EverthreadMemory } from 'everthread/mastra'

export function storageOf(history: ChatHistory): MastraCompositeStore {
  const memory: MemoryStorage = new EverthreadMemory(history)
  return new MastraCompositeStore({ id: 'app', default: new InMemoryStore(), domains: { memory } })
}
