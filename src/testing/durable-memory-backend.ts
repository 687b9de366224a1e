import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import type { CallOptions, Durability, ReplicaState } from '../backend/replica-backend.ts'

/**
 * Memory that counts as a durable place: it stands for a database server in tests, where the
 * processes of the store are what dies.
 */
export class DurableMemoryBackend extends MemoryBackend {
  override getDurability(): Durability {
    return { durable: true, reasons: ['stands for a server in a test'] }
  }

  override async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return { ...(await super.readState(writer, options)), nowMs: this.env.now() }
  }
}
