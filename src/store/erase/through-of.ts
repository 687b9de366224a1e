import type { ThroughOf } from '../../core/erase.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { keysOf, prefixesOf, type ErasureRecord } from './erasure-record.ts'

/** Up to which stamp these erases take the payloads of a key. */
export function throughOfAll(records: readonly ErasureRecord[]): ThroughOf {
  const byKey = new Map<string, Stamp>()
  /** By their lengths: there may be thousands of them, and each key of a log is asked about. */
  const byPrefix = new Map<number, Map<string, Stamp>>()
  for (const record of records) {
    const { through } = record
    for (const key of keysOf(record)) raise(byKey, key, through)
    for (const prefix of prefixesOf(record)) {
      let ofLength = byPrefix.get(prefix.length)
      if (ofLength === undefined) byPrefix.set(prefix.length, (ofLength = new Map()))
      raise(ofLength, prefix, through)
    }
  }
  return (key) => {
    let through = byKey.get(key)
    for (const [length, prefixes] of byPrefix) {
      through = maxStamp(through, prefixes.get(key.slice(0, length)))
    }
    return through
  }
}

function raise(stamps: Map<string, Stamp>, name: string, stamp: Stamp): void {
  stamps.set(name, maxStamp(stamps.get(name), stamp)!)
}
