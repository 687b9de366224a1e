import type { Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'

/**
 * What a shared log rejects a fresh group with when another process was first: some stamp of it is
 * not greater than the last one of its key. Nothing was appended. The writer observes the stamps and
 * stamps the group again.
 */
export class BehindInLog extends Error {
  /** The last stamp of each key whose operations are behind. */
  readonly stamps: ReadonlyMap<Operation['key'], Stamp>

  constructor(stamps: ReadonlyMap<string, Stamp>) {
    super('another process appended to the key with a later stamp')
    this.name = 'BehindInLog'
    this.stamps = stamps
  }
}
