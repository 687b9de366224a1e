// The adapter is a storage of the framework's, by the framework's own types.
import { Memory, type StorageAdapter } from '@voltagent/core'
import type { ChatHistory } from 'everthread'
import { EverthreadStorage } from 'everthread/voltagent'

export function memoryOf(history: ChatHistory): Memory {
  const storage: StorageAdapter = new EverthreadStorage(history)
  return new Memory({ storage })
}

export function memoryAtOnce(history: ChatHistory): Memory {
  return new Memory({ storage: new EverthreadStorage(history) })
}
