import { stampMs, type Stamp } from '../../../core/stamp.ts'

/** Places for each count of a millisecond: so many writers may have made the same one. */
export const SPARE_PLACES = 8

/**
 * The first place for an item at this position, out of its milliseconds and its counter: 63 bits, which sort
 * as positions do. As a big integer: it is more than a number has bits.
 */
export function firstPlaceOf(position: Stamp): bigint {
  const counter = Number.parseInt(position.slice(15, 18), 16)
  return (BigInt(stampMs(position)) << 15n) | BigInt(counter * SPARE_PLACES)
}
