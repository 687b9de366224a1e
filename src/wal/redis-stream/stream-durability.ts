import type { Durability } from '../../backend/replica-backend.ts'
import type { RedisRouter } from '../../backend/redis/connection/router.ts'
import { durabilityOf } from '../../backend/redis/connection/server-info.ts'

/** What the servers of a log promise; `forgotten`: entries that they are known to have lost. */
export function streamDurability(router: RedisRouter | undefined, forgotten: number): Durability {
  if (router === undefined) return { durable: false, reasons: ['the log is not open'] }
  const { durable, reasons } = durabilityOf(router.servers, router.hasFailover, 'log')
  if (forgotten === 0) return { durable, reasons }
  return { durable, reasons: [...reasons, `the server lost ${forgotten} entries for good`] }
}
