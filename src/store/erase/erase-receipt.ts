import type { DatabasePlace } from '../../core/places.ts'

/** Everything that may keep a payload: the three places, and the cache in front of them. */
export type EraseStage = DatabasePlace | 'wal' | 'cache'

export const ERASE_STAGES: readonly EraseStage[] = ['cache', 'wal', 'primary', 'backup']

/** What became of the payloads at one place. */
export interface ErasedPlace {
  /** `erased`: the place was asked, and has them no more. `pending`: it is tried again until it has. */
  readonly state: 'erased' | 'pending'
  /** When that was found out, ISO 8601. Absent while pending. */
  readonly erasedAt?: string
  /** Why it is pending, in words. */
  readonly pending: readonly string[]
  /** Where bytes may be that nothing here can reach, in words: name it to whoever asked for the erase. */
  readonly remains: readonly string[]
}

/** How far an erase has come: one sign-off for each place. */
export interface EraseReceipt {
  readonly id: string
  readonly requestedAt: string
  /** ISO 8601. Absent while something is pending. */
  readonly completedAt?: string
  /** True when every place has signed off. */
  readonly complete: boolean
  readonly places: Readonly<Record<EraseStage, ErasedPlace>>
}
