import type { JsonText } from '../../../core/json.ts'
import { slicesOf } from '../../../core/slices-of.ts'
import { groupBy } from '../../../core/group-by.ts'
import type { Stamp } from '../../../core/stamp.ts'
import { joinReads } from '../../read-registers.ts'
import type { CallOptions, KeyRead, KeyReads } from '../../replica-backend.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'
import { READ_IDS } from '../scripts/read-ids-n.ts'

/** Keys of one script: others get a turn between two. */
const KEYS_MAX = 250

/** The registers of keys: one script for each shard, and for each so many of its keys. */
export async function readRegisters(
  runner: ScriptRunner,
  keys: readonly string[],
  options?: CallOptions,
): Promise<KeyReads> {
  const { layout } = await runner.open(options)
  const shards = [...groupBy(keys.entries(), ([, key]) => layout.shardOf(key)).values()]
  const parts = shards.flatMap((entries) => slicesOf(entries, KEYS_MAX))
  const reads: KeyRead[] = []
  await Promise.all(
    parts.map(async (entries) => {
      const found = await readPart(
        runner,
        entries.map(([, key]) => key),
        options,
      )
      found.forEach((read, i) => (reads[entries[i]![0]] = read))
    }),
  )
  return joinReads(reads)
}

async function readPart(
  runner: ScriptRunner,
  keys: readonly string[],
  options: CallOptions | undefined,
): Promise<readonly KeyRead[]> {
  const { identity, reply } = await runner.ask(({ identity: expected, layout }) => {
    const shard = layout.shardOf(keys[0]!)
    const shared = [layout.part(shard, 'locks'), layout.part(shard, 'heads')]
    const hashes = keys.map((key) => layout.hash(shard, key))
    return {
      script: READ_IDS,
      keys: [layout.meta(shard), ...shared, ...hashes],
      args: [expected, ...keys.flatMap((key) => [key, '0'])],
      writes: false,
    }
  }, options)
  return (reply as readonly (readonly (string | null)[])[]).map(
    ([deletedThrough, stamp, value]) => ({
      identity,
      ...(typeof deletedThrough === 'string' && { deletedThrough: deletedThrough as Stamp }),
      ...(typeof stamp === 'string' && {
        register: { stamp: stamp as Stamp, value: value as JsonText },
      }),
    }),
  )
}
