import type { PlaceName } from '../../core/places.ts'
import type { Tally } from './judge.ts'
import type { Phase } from './script.ts'

/** One acknowledged message: what its receipt said, and where it was found at the end. */
export interface DemoMessage {
  readonly conversationId: string
  readonly id: string
  readonly text: string
  readonly savedWhile: Phase
  /** The places that had it when it was acknowledged. */
  readonly copies: readonly PlaceName[]
  readonly cleared: boolean
  readonly inPrimary: boolean
  readonly inBackup: boolean
}

export interface DemoReport {
  readonly messages: readonly DemoMessage[]
  /** What was read while the primary was away, for each conversation. */
  readonly readWhileAway: Readonly<Record<string, number>>
  readonly verdict: { readonly primary: Tally; readonly backup: Tally }
  readonly catchUpMs: number
  readonly seconds: number
  /** The databases, if they were kept. */
  readonly folder?: string
}
