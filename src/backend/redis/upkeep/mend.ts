/*
 * Whether all that reads and comparisons go by is there, and how it is made anew from the hashes of the
 * keys. What the hashes have lost is missing from then on, and comes back from the other database: so the
 * database gets a new identity first, and nobody takes it for complete until that has been copied.
 */
import type { CallOptions, DamagedPart } from '../../replica-backend.ts'
import { KeyNumbers, keysOf } from '../write/batch.ts'
import { INDEX_PARTS, type Layout } from '../keyspace/layout.ts'
import type { RedisRouter } from '../connection/router.ts'
import type { OpenDatabase } from '../keyspace/schema.ts'
import { CHECK_KEYS } from '../scripts/check-keys-n.ts'
import { CHECK_PARTS } from '../scripts/check-parts-5.ts'
import { LIST_HEADS } from '../scripts/list-heads-2.ts'
import { MEND, MEND_DONE, MEND_START } from '../scripts/mend-12.ts'
import { MEND_LISTS } from '../scripts/mend-lists-5.ts'
import { MEND_TIME } from '../scripts/mend-time-n.ts'
import { READ_TIME } from '../scripts/read-time-2.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'

/** Keys that are mended at once. */
const KEYS_AT_ONCE = 16
/** Keys that one call checks. */
const KEYS_CHECKED = 500
/** Members of a time line that one call looks at. */
const TIME_STEPS = 500
/** Keys of the server that one step of its scan looks at. */
const SCAN_STEPS = '1000'

/** What has lost something: two commands for each key, and no row is read. */
export async function* damagedParts(
  runner: ScriptRunner,
  options?: CallOptions,
): AsyncGenerator<DamagedPart> {
  const { layout } = await runner.open(options)
  for (let shard = 0; shard < layout.shards; shard++) {
    const { reply } = await runner.ask(
      (db) => ({
        script: CHECK_PARTS,
        keys: indexKeys(db, shard),
        args: [db.identity],
        writes: false,
      }),
      options,
    )
    for (const name of reply as readonly string[]) yield { name }
    for await (const page of recordedKeys(runner, shard, options)) {
      yield* await damagedKeys(runner, shard, page, options)
    }
  }
}

/** Makes everything fit the hashes again, of which something is known to be missing. */
export async function mendParts(
  runner: ScriptRunner,
  router: RedisRouter,
  options?: CallOptions,
): Promise<void> {
  await runner.replace('it is mended, and rows of it may be gone', options)
  const { layout } = await runner.open(options)
  for (let shard = 0; shard < layout.shards; shard++) {
    for await (const keys of storedKeys(router, layout, shard)) {
      await mendKeys(runner, shard, keys, options)
    }
    for await (const keys of recordedKeys(runner, shard, options)) {
      await mendKeys(runner, shard, keys, options)
    }
    await mendTime(runner, shard, options)
    await mendLists(runner, shard, options)
  }
}

async function damagedKeys(
  runner: ScriptRunner,
  shard: number,
  names: readonly string[],
  options?: CallOptions,
): Promise<readonly DamagedPart[]> {
  const found: DamagedPart[] = []
  for (let first = 0; first < names.length; first += KEYS_CHECKED) {
    const some = names.slice(first, first + KEYS_CHECKED)
    const { reply } = await runner.ask(({ identity, layout }) => {
      const own = some.flatMap((key) => [layout.hash(shard, key), layout.set(shard, key)])
      const keys = [layout.meta(shard), layout.part(shard, 'heads'), ...own]
      return { script: CHECK_KEYS, keys, args: [identity, ...some], writes: false }
    }, options)
    const pairs = reply as readonly string[]
    for (let i = 0; i + 1 < pairs.length; i += 2)
      found.push({ key: pairs[i]!, name: pairs[i + 1]! })
  }
  return found
}

/** Keys that have a record, page by page. */
async function* recordedKeys(
  runner: ScriptRunner,
  shard: number,
  options?: CallOptions,
): AsyncGenerator<readonly string[]> {
  let cursor = '0'
  do {
    const from = cursor
    const { reply } = await runner.ask(({ identity, layout }) => {
      const keys = [layout.meta(shard), layout.part(shard, 'heads')]
      return { script: LIST_HEADS, keys, args: [identity, from], writes: false }
    }, options)
    const [next, ...keys] = reply as readonly string[]
    yield keys
    cursor = next!
  } while (cursor !== '0')
}

/** Keys that have a hash or a set, whatever is known of them: found among all keys of the server. */
async function* storedKeys(
  router: RedisRouter,
  layout: Layout,
  shard: number,
): AsyncGenerator<readonly string[]> {
  const [hash, set] = [layout.hash(shard, ''), layout.set(shard, '')]
  // Only the letter before the colon differs.
  const pattern = `${escapeGlob(hash.slice(0, -2))}[hz]:*`
  let cursor = '0'
  do {
    const scan = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_STEPS]
    const [next, names] = (await router.send(layout.meta(shard), scan)) as [string, string[]]
    yield [...new Set(names.map((name) => name.slice(set.length)))]
    cursor = String(next)
  } while (cursor !== '0')
}

async function mendKeys(
  runner: ScriptRunner,
  shard: number,
  keys: readonly string[],
  options?: CallOptions,
): Promise<void> {
  for (let first = 0; first < keys.length; first += KEYS_AT_ONCE) {
    const some = keys.slice(first, first + KEYS_AT_ONCE)
    await Promise.all(some.map(async (key) => await mendKey(runner, shard, key, options)))
  }
}

async function mendKey(
  runner: ScriptRunner,
  shard: number,
  key: string,
  options?: CallOptions,
): Promise<void> {
  let at: readonly string[] = MEND_START
  while (at[0] !== MEND_DONE) {
    const from = at
    const { reply } = await runner.ask((db) => {
      const args = [db.identity, String(db.layout.hashPrefixBytes(shard)), ...from]
      return { script: MEND, keys: keysOf(db.layout, shard, [key]), args, writes: true }
    }, options)
    at = reply as readonly string[]
  }
}

async function mendTime(runner: ScriptRunner, shard: number, options?: CallOptions): Promise<void> {
  let min = '-'
  for (;;) {
    const from = min
    const { reply } = await runner.ask(({ identity, layout }) => {
      const keys = [layout.meta(shard), layout.part(shard, 'time')]
      const args = [identity, from, '\u{10FFFF}', String(TIME_STEPS)]
      return { script: READ_TIME, keys, args, writes: false }
    }, options)
    const members = reply as readonly string[]
    if (members.length === 0) return
    await runner.ask((db) => mendTimeCall(db, shard, members), options)
    min = `(${members.at(-1)!}`
  }
}

function mendTimeCall(
  { identity, layout }: OpenDatabase,
  shard: number,
  members: readonly string[],
): ReturnType<Parameters<ScriptRunner['ask']>[0]> {
  const numbers = new KeyNumbers()
  // PLACE DIGEST KIND KEY NUL ID
  const pairs = members.flatMap((member) => {
    const key = member.slice(49, member.indexOf('\0', 49))
    return [String(numbers.of(key)), member]
  })
  const args = [identity, String(layout.hashPrefixBytes(shard)), ...pairs]
  return { script: MEND_TIME, keys: keysOf(layout, shard, numbers.names), args, writes: true }
}

async function mendLists(
  runner: ScriptRunner,
  shard: number,
  options?: CallOptions,
): Promise<void> {
  let at: readonly string[] = ['-', '-']
  while (at.some((bound) => bound !== '')) {
    const from = at
    const { reply } = await runner.ask(
      (db) => ({
        script: MEND_LISTS,
        keys: indexKeys(db, shard),
        args: [db.identity, ...from],
        writes: true,
      }),
      options,
    )
    at = reply as readonly string[]
  }
}

function indexKeys({ layout }: OpenDatabase, shard: number): readonly string[] {
  return [layout.meta(shard), ...INDEX_PARTS.map((part) => layout.part(shard, part))]
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, String.raw`\$&`)
}
