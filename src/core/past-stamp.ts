import { stampMs, type Stamp } from './stamp.ts'

const COUNTER_MAX = 0xfff

/**
 * The stamp of a time, for what happened before it is stored; greater than `after`, whose time it has
 * where its own is no later.
 *
 * @param tail The last two groups: those of a writer, or random ones.
 */
export function pastStamp(ms: number, tail: string, after?: Stamp): Stamp {
  const own = Math.max(0, Math.floor(ms))
  const floorMs = after === undefined ? -1 : stampMs(after)
  if (own > floorMs) return format(own, 0, tail)
  const counter = Number.parseInt(after!.slice(15, 18), 16)
  return counter < COUNTER_MAX ? format(floorMs, counter + 1, tail) : format(floorMs + 1, 0, tail)
}

/** Random last groups, so that two stamps of one time differ. */
export function randomTail(bytes: Uint8Array): string {
  const own = Uint8Array.from(bytes.subarray(0, 8))
  own[0] = (own[0]! & 0x3f) | 0x80
  const hex = Array.from(own, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 4)}-${hex.slice(4)}`
}

function format(ms: number, counter: number, tail: string): Stamp {
  const time = ms.toString(16).padStart(12, '0')
  const count = counter.toString(16).padStart(3, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${tail}` as Stamp
}
