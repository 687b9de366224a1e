import type { ThroughOf } from '../../core/erase.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import type { ErasureRecord } from './erasure-record.ts'

/** Up to which stamp these erases take the payloads of a key. */
export function throughOfAll(records: readonly ErasureRecord[]): ThroughOf {
  const byKey = new Map<string, Stamp>()
  const byPrefix = records.filter(({ scope }) => scope === 'prefix')
  for (const { scope, target, through } of records) {
    if (scope === 'key') byKey.set(target, maxStamp(byKey.get(target), through)!)
  }
  return (key) => {
    let through = byKey.get(key)
    for (const record of byPrefix) {
      if (key.startsWith(record.target)) through = maxStamp(through, record.through)
    }
    return through
  }
}
