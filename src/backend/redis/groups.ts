import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import type { ApplyOptions, ApplyResult } from '../replica-backend.ts'
import type { Acknowledged } from './batch.ts'
import type { RedisSession } from './session.ts'

export async function applySpread(
  _env: Env,
  _session: RedisSession,
  _operations: readonly Operation[],
  _options: ApplyOptions,
  _acknowledged: Acknowledged,
): Promise<ApplyResult> {
  throw new StorageError('UNSUPPORTED', 'a group over several shards')
}
export async function breakLock(_session: RedisSession, _lock: string): Promise<void> {}
export async function sweepGroups(_session: RedisSession): Promise<void> {}
