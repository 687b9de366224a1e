/*
 * A journal holds a group over several keys from before its first version is written until after
 * its last one was. What was cleared or removed must not stay in it, or get into it by a replay.
 */
import { createHash } from 'node:crypto'
import { isStorageError } from '../../../core/errors.ts'
import type { KeyState } from '../../../core/merge.ts'
import { rangeStamp, type Operation } from '../../../core/operation.ts'
import { maxStamp } from '../../../core/stamp.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import type { Layout } from './layout.ts'
import { damaged, decodeObject, encodeObject } from './object-format.ts'
import { decodeOperations, encodeOperations, type StoredOperations } from './version.ts'

/** The operations of a group by key, in their order. */
export type GroupParts = ReadonlyMap<string, readonly Operation[]>

export function encodeJournal(parts: GroupParts): Buffer {
  const content = [...parts].map(([key, operations]) => encodeOperations(key, operations))
  return encodeObject('journal', content)
}

/** The same for the same group, whoever writes it: two that do may remove it for each other. */
export function journalName(parts: GroupParts): string {
  return createHash('sha256').update(encodeJournal(parts)).digest('hex').slice(0, 32)
}

function decodeJournal(name: string, bytes: Buffer): GroupParts {
  const content = decodeObject('journal', name, bytes)
  if (!Array.isArray(content)) throw damaged(name, 'it is not a list')
  return new Map(
    (content as StoredOperations[]).map(({ key, operations }) => [
      key,
      decodeOperations(name, key, operations),
    ]),
  )
}

/**
 * The journal of that name; undefined when there is none. One that is damaged is removed: nobody can apply it any
 * more, and what it holds was acknowledged to nobody. It must not hold up the others, and may hold what was erased.
 */
export async function readJournal(
  client: S3Client,
  name: string,
  call: S3Call,
): Promise<GroupParts | undefined> {
  const bytes = await client.get(name, call)
  if (bytes === undefined) return undefined
  try {
    return decodeJournal(name, bytes)
  } catch (error) {
    if (!isStorageError(error, 'CORRUPT')) throw error
    await client.delete([name], call)
    return undefined
  }
}

/** The operations without those whose value the state has cleared or removed. */
export function withoutDead(state: KeyState, operations: readonly Operation[]): Operation[] {
  return operations.filter((operation) => !isDead(state, operation))
}

/**
 * Takes what a key has erased out of the journals that stand. One that its owner removes meanwhile
 * may come back: applying it again changes nothing, and then it is removed once more.
 */
export async function scrubJournals(
  client: S3Client,
  layout: Layout,
  key: string,
  state: KeyState,
  call: S3Call,
): Promise<void> {
  for (const { name } of await client.listAll(layout.journal(''), call)) {
    const parts = await readJournal(client, name, call)
    if (parts === undefined) continue
    const own = parts.get(key) ?? []
    const left = withoutDead(state, own)
    if (left.length === own.length) continue
    await client.put(name, encodeJournal(new Map([...parts, [key, left]])), call)
  }
}

function isDead({ deletedThrough, items }: KeyState, operation: Operation): boolean {
  if (!('value' in operation)) return false
  const removedOf = operation.kind === 'put' ? items.get(operation.id)?.removedOf : undefined
  const goneThrough = maxStamp(deletedThrough, removedOf)
  return goneThrough !== undefined && rangeStamp(operation) <= goneThrough
}
