import type { WALManager } from '../wal/wal-manager.ts'
import { PrimaryFirstReadStrategy } from './read/primary-first.ts'
import type { ReadPort } from './read/read-port.ts'
import { DualWriteStrategy } from './write/dual-write.ts'
import { IdempotentWriteStrategy } from './write/idempotent.ts'
import type { WritePort } from './write/write-port.ts'

/** What a store reads and writes by itself with: strategies of single values cannot serve it. */
export function innerStrategies(
  read: ReadPort,
  write: WritePort,
  log: WALManager,
): { readonly read: ReadPort; readonly write: WritePort } {
  return {
    read: read.valuesOnly === true ? new PrimaryFirstReadStrategy() : read,
    write: write.valuesOnly === true ? writeOf(log) : write,
  }
}

function writeOf(log: WALManager): WritePort {
  return log.hasLog() ? new IdempotentWriteStrategy() : new DualWriteStrategy()
}
