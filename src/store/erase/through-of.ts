import type { ThroughOf } from '../../core/erase.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { targetsOf, type ErasureRecord } from './erasure-record.ts'

/** Up to which stamp these erases take the payloads of a key. */
export function throughOfAll(records: readonly ErasureRecord[]): ThroughOf {
  const byKey = new Map<string, Stamp>()
  const byPrefix: { readonly target: string; readonly through: Stamp }[] = []
  for (const record of records) {
    const { scope, through } = record
    for (const target of targetsOf(record)) {
      if (scope === 'prefix') byPrefix.push({ target, through })
      else byKey.set(target, maxStamp(byKey.get(target), through)!)
    }
  }
  return (key) => {
    let through = byKey.get(key)
    for (const record of byPrefix) {
      if (key.startsWith(record.target)) through = maxStamp(through, record.through)
    }
    return through
  }
}
