import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import type { Durability } from '../backend/replica-backend.ts'

/**
 * Memory that counts as a durable place: it stands for a database server in tests, where the
 * processes of the store are what dies.
 */
export class DurableMemoryBackend extends MemoryBackend {
  override getDurability(): Durability {
    return { durable: true, reasons: ['stands for a server in a test'] }
  }
}
