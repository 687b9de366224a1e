import type { Durability } from '../../backend/replica-backend.ts'
import { durabilityOf } from '../../backend/redis/connection/server-info.ts'
import type { OpenStream } from './open-stream.ts'

/** What the servers of a log promise. */
export function streamDurability(stream: OpenStream | undefined): Durability {
  if (stream === undefined) return { durable: false, reasons: ['the log is not open'] }
  const { router, forgotten } = stream
  const { durable, reasons } = durabilityOf(router.servers, router.hasFailover, 'log')
  if (forgotten === 0) return { durable, reasons }
  return { durable, reasons: [...reasons, `the server lost ${forgotten} entries for good`] }
}
