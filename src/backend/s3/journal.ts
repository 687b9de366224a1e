/*
 * A journal holds a group over several keys from before its first version is written until after
 * its last one was. What was cleared or removed must not stay in it, or get into it by a replay.
 */
import { createHash } from 'node:crypto'
import type { KeyState } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { maxStamp } from '../../core/stamp.ts'
import { placeOf } from '../key-states.ts'
import type { S3Call, S3Client } from './client.ts'
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

export function decodeJournal(name: string, bytes: Buffer): GroupParts {
  const content = decodeObject('journal', name, bytes)
  if (!Array.isArray(content)) throw damaged(name, 'it is not a list')
  return new Map(
    (content as StoredOperations[]).map(({ key, operations }) => [
      key,
      decodeOperations(name, key, operations),
    ]),
  )
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
  const { objects } = await client.list(layout.journal(''), {}, call)
  for (const { name } of objects) {
    const bytes = await client.get(name, call)
    if (bytes === undefined) continue
    const parts = decodeJournal(name, bytes)
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
  return goneThrough !== undefined && placeOf(operation) <= goneThrough
}
