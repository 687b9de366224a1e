import type { Receipt } from '../../chat/message.ts'

/**
 * Tells messages that this process made from those that it found in the store: a position ends
 * with the random bits of the process that made it (`core/stamp.ts`).
 */
export function newReceipts(writerId: string): (receipt: Receipt) => boolean {
  return ({ position }) => position.endsWith(`-${writerId}`)
}
