import type { Stamp } from '../../../core/stamp.ts'

/** The 32 digits of a stamp without its dashes; they sort as it does. */
export function hexOfStamp(stamp: Stamp): string {
  return stamp.replaceAll('-', '')
}

export function stampOfHex(hex: string): Stamp {
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ]
  return parts.join('-') as Stamp
}
