import { withDeadline } from '../../core/time.ts'
import type { StoreContext } from '../context.ts'
import { HEDGE_BOUNDS, hedgeDelayMs } from '../hedge-delay.ts'
import type { PrimaryVerdict } from '../replica-monitor.ts'

/**
 * Begins to find out what an answer of the primary alone is worth; call it before the primary is asked.
 * Undefined when something is known that the primary may lack: then both databases are to be asked. The
 * promise never rejects, and resolves to undefined when the backup, which keeps the hints, has not told
 * within the delay after which another place would be asked.
 */
export function judgePrimary(
  context: StoreContext,
  maxHintAgeMs: number,
): Promise<PrimaryVerdict | undefined> | undefined {
  const { env, monitor, places } = context
  if (!monitor.isPrimaryCurrent() || !monitor.isTrusted()) return undefined
  if (places.backup.isAbsent) return Promise.resolve('current')
  if (maxHintAgeMs > 0 && monitor.hintsAgeMs() <= maxHintAgeMs) return Promise.resolve('current')
  if (!places.backup.isUp()) return Promise.resolve(undefined)
  const patienceMs = hedgeDelayMs(context, 'backup', HEDGE_BOUNDS)
  const options = { place: 'backup', effect: 'none' } as const
  return withDeadline(env, patienceMs, 'the hints', monitor.judgePrimary(), options).catch(
    // Told to the health manager already; the read says that it may be incomplete.
    () => undefined,
  )
}
