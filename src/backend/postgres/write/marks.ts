import type { BatchCall } from '../../batcher.ts'

/** The writers whose hints these calls raise, as a parameter; undefined when there are none. */
export function hintsOf(calls: readonly BatchCall[]): [writers: string[]] | undefined {
  const writers = new Set(calls.map(({ hint }) => hint).filter((hint) => hint !== undefined))
  return writers.size === 0 ? undefined : [[...writers]]
}

/** The greatest cursor of each writer in these calls as parameters; undefined without any. */
export function cursorsOf(
  calls: readonly BatchCall[],
): [writers: string[], lsns: number[]] | undefined {
  const lsns = new Map<string, number>()
  for (const { cursor } of calls) {
    if (cursor === undefined) continue
    lsns.set(cursor.writer, Math.max(cursor.lsn, lsns.get(cursor.writer) ?? 0))
  }
  return lsns.size === 0 ? undefined : [[...lsns.keys()], [...lsns.values()]]
}
