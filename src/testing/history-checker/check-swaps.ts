import type {
  CheckOptions,
  HistoryRecord,
  SwapRecord,
  SwappedRecord,
  Violation,
} from './history.ts'

/**
 * Values that are set under the condition that what was read still stands. Each content is written once, so each
 * names the swap that made it.
 *
 * - What was refused without effect is never read.
 * - Where the primary alone judges, at most one swap of what stood is acknowledged, and none is lost: what was
 *   acknowledged stands at the end, or another swap took its place.
 *
 * Not judged: swaps that the backup may judge, whose processes cannot see each other; a primary that lost its disk.
 */
export function* checkSwaps(
  records: readonly HistoryRecord[],
  { lostDisk = false }: CheckOptions,
): Iterable<Violation> {
  const swaps = records.filter((record) => record.kind === 'swap')
  if (swaps.length === 0) return
  const reads = records.filter((record) => record.kind === 'swapped')
  yield* checkRefused(swaps, reads)
  if (lostDisk || !swaps.every(({ byPrimary }) => byPrimary)) return
  yield* checkChain(swaps, reads)
}

function* checkRefused(
  swaps: readonly SwapRecord[],
  reads: readonly SwappedRecord[],
): Iterable<Violation> {
  const refused = new Map(
    swaps.filter(({ outcome }) => outcome === 'none').map((swap) => [swap.content, swap]),
  )
  for (const read of [...reads, ...swaps]) {
    const content = read.kind === 'swap' ? read.expected : read.content
    const swap = content === undefined ? undefined : refused.get(content)
    if (swap === undefined) continue
    yield { kind: 'swap', text: `${content} was refused, and was read`, records: [swap, read] }
  }
}

function* checkChain(
  swaps: readonly SwapRecord[],
  reads: readonly SwappedRecord[],
): Iterable<Violation> {
  const winners = new Map<string | undefined, SwapRecord>()
  const acknowledged = swaps.filter(({ outcome }) => outcome === 'ok')
  for (const swap of acknowledged) {
    const other = winners.get(swap.expected)
    if (other !== undefined) {
      const text = `${swap.expected ?? 'nothing'} was swapped twice`
      yield { kind: 'swap', text, records: [other, swap] }
    }
    winners.set(swap.expected, swap)
  }
  const replaced = new Set(
    swaps.filter(({ outcome }) => outcome !== 'none').map(({ expected }) => expected),
  )
  for (const read of reads) {
    if (!read.final || read.outcome !== 'ok') continue
    for (const swap of acknowledged) {
      if (swap.content === read.content || replaced.has(swap.content)) continue
      const text = `${swap.content} was acknowledged, and ${read.content ?? 'nothing'} stands`
      yield { kind: 'swap', text, records: [swap, read] }
    }
  }
}
