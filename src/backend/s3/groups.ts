/*
 * Groups over several keys. A version is about one key, so such a group is written to a journal
 * first: from then on it will be applied, by this process or, if it dies, by another one. Merging is
 * idempotent, so both may do it.
 *
 * Not promised: that a read sees such a group whole while it is being applied; and with callers'
 * ids, that two processes which save the same id in different groups over several keys at the same
 * moment are told apart: then the greatest position counts, as for a save through two places.
 */
import type { Condition } from '../../core/conditions.ts'
import { groupBy } from '../../core/group-by.ts'
import { isRefusal, type Verdict } from '../../core/decide.ts'
import { isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import type { BatchCall } from '../batcher.ts'
import { judgeGroup } from '../key-states.ts'
import type { S3Call, S3Client } from './protocol/client.ts'
import type { Database } from './database.ts'
import {
  encodeJournal,
  journalName,
  readJournal,
  withoutDead,
  type GroupParts,
} from './key/journal.ts'
import type { KeyReader } from './key/key-reader.ts'
import { KEYS_AT_ONCE, VIEW_AGE_MS_MAX } from './protocol/limits.ts'
import { mapLimited } from '../../core/semaphore.ts'

/** Applies a group over several keys and answers each operation. */
export async function applyGroup(
  { locks, ...db }: Database,
  client: S3Client,
  group: BatchCall,
  call: S3Call,
): Promise<readonly Verdict[]> {
  const keys = group.operations.map(({ key }) => key)
  return await locks.run(keys, async () => {
    const applied = group.decide ? await judge({ locks, ...db }, group, call) : undefined
    if (applied?.some(isRefusal) === true) return applied
    const chosen = group.operations.filter(
      (_, i) => (applied?.[i]!.outcome ?? 'applied') === 'applied',
    )
    const parts = byKey(chosen)
    if (parts.size === 0) return applied ?? []
    // Named after what is in it: a repeat of a group that failed does not add another one.
    const journal = db.layout.journal(journalName(parts))
    await client.put(journal, encodeJournal(await living(db.reader, parts, call)), call)
    let answers: Awaited<ReturnType<typeof applyParts>>
    try {
      answers = await applyParts(db, parts, call)
    } catch (error) {
      throw await failed(error, client, journal, call)
    }
    await client.delete([journal], call).catch(() => {
      // Verdict again by whoever finds it, and then removed.
    })
    if (applied !== undefined) return applied
    const taken = new Map<string, number>()
    return group.operations.map(({ key }) => {
      const at = taken.get(key) ?? 0
      taken.set(key, at + 1)
      return answers.get(key)![at]!
    })
  })
}

/** The keys of a group: a version is about one of them, and nothing holds several while they are judged. */
export function keysOf(
  operations: readonly Operation[],
  conditions: readonly Condition[] = [],
): readonly string[] {
  const keys = new Set([...operations, ...conditions].map(({ key }) => key))
  if (keys.size > 1 && conditions.length > 0) {
    const text = 'S3 judges conditions of groups about one key, and this one is about several'
    throw new StorageError('UNSUPPORTED', text)
  }
  return [...keys]
}

/** Applies a journal that was left behind, and removes it. */
export async function finishJournal(
  db: Database,
  client: S3Client,
  name: string,
  call: S3Call,
): Promise<void> {
  const parts = await readJournal(client, name, call)
  if (parts === undefined) return
  await db.locks.run([...parts.keys()], () => applyParts(db, parts, call))
  await client.delete([name], call)
}

/** The journal stands: what failed will be applied yet. Only what never can be is taken back. */
async function failed(
  error: unknown,
  client: S3Client,
  journal: string,
  call: S3Call,
): Promise<StorageError> {
  const never = isStorageError(error, 'REJECTED') || isStorageError(error, 'CORRUPT')
  if (never) await client.delete([journal], call).catch(() => {})
  const code = isStorageError(error) ? error.code : 'UNAVAILABLE'
  return new StorageError(code, messageOf(error), { effect: 'unknown', cause: error })
}

async function judge(
  { reader }: Database,
  { operations, unique }: BatchCall,
  call: S3Call,
): Promise<readonly Verdict[]> {
  const parts = byKey(operations)
  const states = new Map(
    await mapLimited([...parts], KEYS_AT_ONCE, async ([key, own]) => {
      return await reader.read(key, call, async ({ state }) => {
        const ids = own.flatMap((operation) => (operation.kind === 'put' ? [operation.id] : []))
        const existing = ids.flatMap((id) => state.items.get(id) ?? [])
        const items = new Map(state.items)
        for (const item of await reader.withValues(key, existing, call)) items.set(item.id, item)
        return [key, { ...state, items }] as const
      })
    }),
  )
  return judgeGroup(operations, (key) => states.get(key), true, unique)
}

/** What is known to be cleared or removed is not written again, not even for a moment. */
async function living(reader: KeyReader, parts: GroupParts, call: S3Call): Promise<GroupParts> {
  return new Map(
    await mapLimited([...parts], KEYS_AT_ONCE, async ([key, operations]) => {
      const { state } = await reader.load(key, call, VIEW_AGE_MS_MAX)
      return [key, withoutDead(state, operations)] as const
    }),
  )
}

async function applyParts(
  { writer }: Pick<Database, 'writer'>,
  parts: GroupParts,
  call: S3Call,
): Promise<ReadonlyMap<string, readonly Verdict[]>> {
  return new Map(
    await mapLimited([...parts], KEYS_AT_ONCE, async ([key, operations]) => {
      const merged = { operations, decide: false, unique: false }
      const [answers] = await writer.write(key, [merged], call)
      return [key, answers!.applied] as const
    }),
  )
}

/** The operations by key, in their order. */
export function byKey(operations: readonly Operation[]): Map<string, Operation[]> {
  return groupBy(operations, ({ key }) => key)
}
