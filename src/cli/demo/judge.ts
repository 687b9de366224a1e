/** A message that a receipt was given for, in the order of the receipts. */
export interface Acknowledged {
  readonly conversationId: string
  readonly id: string
  readonly text: string
  /** Its conversation was cleared afterwards. */
  readonly cleared: boolean
}

/** A message as it was found in one database, in its order there. */
export interface Found {
  readonly id: string
  readonly text: string
}

export interface Tally {
  /** Acknowledged, not cleared, and not there, or there with another text. */
  readonly lost: number
  /** There more than once, or never acknowledged. */
  readonly duplicated: number
  /** The least number of messages that would have to move for the order to be right. */
  readonly reordered: number
  /** Cleared, and there again. */
  readonly returned: number
}

/** Compares what one database holds with what was acknowledged, message by message. */
export function judge(
  acknowledged: readonly Acknowledged[],
  found: ReadonlyMap<string, readonly Found[]>,
): Tally {
  let lost = 0
  let duplicated = 0
  let reordered = 0
  let returned = 0
  const ids = new Set([...found.keys(), ...acknowledged.map((message) => message.conversationId)])
  for (const conversationId of ids) {
    const expected = acknowledged.filter((message) => message.conversationId === conversationId)
    const there = found.get(conversationId) ?? []
    const rank = new Map(expected.map(({ id }, index) => [id, index]))
    const seen = new Set<string>()
    const ranks: number[] = []
    for (const { id } of there) {
      const position = rank.get(id)
      if (position === undefined || seen.has(id)) duplicated++
      else if (expected[position]!.cleared) returned++
      else ranks.push(position)
      seen.add(id)
    }
    const texts = new Map(there.map(({ id, text }) => [id, text]))
    lost += expected.filter(({ id, text, cleared }) => !cleared && texts.get(id) !== text).length
    reordered += ranks.length - longestIncreasing(ranks)
  }
  return { lost, duplicated, reordered, returned }
}

/** Length of the longest part that is in order already. */
function longestIncreasing(ranks: readonly number[]): number {
  const lengths: number[] = []
  ranks.forEach((rank, i) => {
    const before = lengths.filter((_, j) => j < i && ranks[j]! < rank)
    lengths.push(1 + Math.max(0, ...before))
  })
  return Math.max(0, ...lengths)
}
