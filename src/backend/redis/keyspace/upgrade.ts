import { STAMP_MAX, STAMP_MIN } from '../../../core/stamp.ts'
import type { RedisCaller } from '../connection/caller.ts'
import type { Layout } from './layout.ts'
import { momentOf } from './moment.ts'
import { READ_TIME } from '../scripts/read-time-2.ts'
import { SET_FORMAT } from '../scripts/set-format-1.ts'
import { UPGRADE } from '../scripts/upgrade-12.ts'

/** The format of records that this code reads and writes. */
export const RECORD_FORMAT = '3'

/** Members of the time line that are looked at at once. */
const STEPS = 500

/**
 * Brings the records of a shard to today's format. Safe beside others who do the same, and begins anew
 * where it was cut off: what is of today's format stays as it is.
 */
export async function upgradeShard(
  caller: RedisCaller,
  layout: Layout,
  shard: number,
  identity: string,
): Promise<void> {
  const meta = layout.meta(shard)
  for (let min = `[${STAMP_MIN}`; ;) {
    const members = (await caller.run({
      script: READ_TIME,
      keys: [meta, layout.part(shard, 'time')],
      args: [identity, min, STAMP_MAX, String(STEPS)],
      writes: false,
    })) as readonly string[]
    for (const [key, ids] of idsIn(members)) {
      const keys = [...layout.shardKeys(shard), layout.hash(shard, key), layout.set(shard, key)]
      const args = [identity, String(layout.hashPrefixBytes(shard)), ...ids]
      await caller.run({ script: UPGRADE, keys, args, writes: true })
    }
    if (members.length < STEPS) break
    min = `(${members.at(-1)!}`
  }
  const args = [identity, RECORD_FORMAT]
  await caller.run({ script: SET_FORMAT, keys: [meta], args, writes: true })
}

/** By key; that of a register or a tombstone is of no item. */
function idsIn(members: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>()
  for (const { key, id } of members.map(momentOf)) {
    const ids = found.get(key) ?? new Set()
    found.set(key, ids.add(id))
  }
  return found
}
