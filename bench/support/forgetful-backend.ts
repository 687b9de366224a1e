import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import type { ApplyOptions, ApplyResult } from '../../src/backend/replica-backend.ts'
import type { Operation } from '../../src/core/operation.ts'

/** A database elsewhere that answers at once: it does no work in this process and keeps no message here. */
export class ForgetfulBackend extends MemoryBackend {
  override async apply(
    operations: readonly Operation[],
    options?: ApplyOptions,
  ): Promise<ApplyResult> {
    const { identity } = await super.apply([], options)
    return { identity, applied: operations.map(() => ({ outcome: 'applied' })) }
  }
}
