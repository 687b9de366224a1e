import type { Stamp } from '../../../core/stamp.ts'

/** One member of a time line. */
export interface Moment {
  readonly place: Stamp
  readonly digest: number
  /** `a`ppend, `e`dit, `r`emoval, `s`et, `d`elete. */
  readonly kind: string
  readonly key: string
  readonly id: string
}

/** PLACE DIGEST KIND KEY NUL ID; the id is left out where it is the place. */
export function momentOf(member: string): Moment {
  const place = member.slice(0, 36) as Stamp
  const digest = Number.parseInt(member.slice(36, 48), 16)
  const split = member.indexOf('\0', 49)
  const id = member.slice(split + 1)
  return {
    place,
    digest,
    kind: member[48]!,
    key: member.slice(49, split),
    id: id === '' ? place : id,
  }
}
