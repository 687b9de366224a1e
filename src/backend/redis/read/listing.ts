/*
 * Listings ask every shard for its part and merge: a page costs as much as a page of each.
 */
import { compareText } from '../../../core/text.ts'
import type { Stamp } from '../../../core/stamp.ts'
import { compareLatest } from '../../key-states.ts'
import type {
  CallOptions,
  KeyPage,
  KeyQuery,
  LatestKey,
  LatestPage,
  LatestQuery,
} from '../../replica-backend.ts'
import { LIST_KEYS } from '../scripts/list-keys-2.ts'
import { LIST_LATEST } from '../scripts/list-latest-4.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'

/** A prefix with so few keys is read whole, whatever others have. */
const FEW_KEYS = 512
/** Members of an index that one call looks at: the server does nothing else meanwhile. */
const STEPS_MAX = 4_000

export async function listKeys(
  runner: ScriptRunner,
  { prefix, after, limit }: KeyQuery,
  options?: CallOptions,
): Promise<KeyPage> {
  const isInside = after !== undefined && compareText(after, prefix) >= 0
  const min = isInside ? `(${after}` : `[${prefix}`
  const { layout } = await runner.open(options)
  const parts = await Promise.all(
    Array.from({ length: layout.shards }, async (_, shard) => {
      return await runner.ask((db) => {
        const keys = [db.layout.meta(shard), db.layout.part(shard, 'listed')]
        const args = [db.identity, prefix, min, String(limit + 1)]
        return { script: LIST_KEYS, keys, args, writes: false }
      }, options)
    }),
  )
  const keys = parts.flatMap(({ reply }) => reply as readonly string[]).sort(compareText)
  const { identity } = parts[0]!
  return { identity, keys: keys.slice(0, limit), done: keys.length <= limit }
}

export async function listLatest(
  runner: ScriptRunner,
  query: LatestQuery,
  options?: CallOptions,
): Promise<LatestPage> {
  const { layout } = await runner.open(options)
  const parts = await Promise.all(
    Array.from({ length: layout.shards }, async (_, shard) => {
      return await latestOfShard(runner, shard, query, options)
    }),
  )
  const { before, limit } = query
  const keys = parts
    .flatMap((part) => part.keys)
    .filter((key) => before === undefined || compareLatest(key, before) > 0)
    .sort(compareLatest)
  const { identity } = parts[0]!
  return { identity, keys: keys.slice(0, limit), done: keys.length <= limit }
}

/** At least limit + 1 keys of a shard, or all that there are. */
async function latestOfShard(
  runner: ScriptRunner,
  shard: number,
  { prefix, before, limit }: LatestQuery,
  options?: CallOptions,
): Promise<{ readonly identity: string; readonly keys: readonly LatestKey[] }> {
  const found: LatestKey[] = []
  let min = before === undefined ? '-' : `(${turned(before.latest)}${before.key}`
  for (;;) {
    const from = min
    const { identity, reply } = await runner.ask((db) => {
      const parts = (['listed', 'latest', 'heads'] as const).map((p) => db.layout.part(shard, p))
      const number = String(limit + 1 - found.length)
      const args = [db.identity, prefix, from, number, String(FEW_KEYS), String(STEPS_MAX)]
      return { script: LIST_LATEST, keys: [db.layout.meta(shard), ...parts], args, writes: false }
    }, options)
    const [kind, next, ...pairs] = reply as readonly string[]
    const isWhole = kind === 'all'
    if (isWhole) found.length = 0
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const latest = isWhole ? pairs[i + 1]! : turned(pairs[i + 1]!)
      found.push({ key: pairs[i]!, latest: latest as Stamp })
    }
    if (isWhole || next === '' || found.length > limit) return { identity, keys: found }
    min = next!
  }
}

/** A stamp with its digits turned round, so that later ones come first; its own inverse. */
function turned(stamp: string): string {
  return stamp.replace(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16))
}
