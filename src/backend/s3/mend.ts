/*
 * Keys of which nothing can be read any more, since their newest version or its index is damaged or
 * missing, and how they are begun anew: a version on top of it with all that their segments and the
 * version still have. What only the index knew is missing then, and comes back from the other database.
 */
import { isStorageError } from '../../core/errors.ts'
import { applyOperation, emptyState, type KeyState } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { DamagedPart } from '../replica-backend.ts'
import type { S3Call, S3Client } from './protocol/client.ts'
import type { Database } from './database.ts'
import { ReplacedError } from './key/key-reader.ts'
import { folderIn, keyOfFolder, numberIn } from './key/layout.ts'
import { FolderWalk } from './read/listing.ts'
import { decodeObject } from './key/object-format.ts'
import { decodeOperations, type StoredOperations, type Version } from './key/version.ts'

/** `fresh` has nothing in memory: it sees what is in the bucket. */
export async function* damagedKeys(
  fresh: Database,
  client: S3Client,
  call: S3Call,
): AsyncGenerator<DamagedPart> {
  const folders = new FolderWalk(client, fresh.layout.keys)
  for (;;) {
    const { newest, done } = await folders.next(undefined, call)
    for (const name of newest) {
      const part = await damageOf(fresh, name, call)
      if (part !== undefined) yield part
    }
    if (done) return
  }
}

/** Writes a new version over the newest one of a key. False when another process was first. */
export async function mendKey(
  { writer, layout }: Database,
  fresh: Database,
  client: S3Client,
  key: string,
  call: S3Call,
): Promise<boolean> {
  const { objects } = await client.list(layout.versions(key), { limit: 1 }, call)
  const [newest] = objects
  if (newest === undefined) return false
  const version = await unlessDamaged(async () => (await fresh.reader.view(key, call)).version)
  const state =
    version === undefined ? emptyState() : await readableState(fresh, client, version, call)
  const named =
    version === undefined ? [] : [version.base, ...version.segments.map(({ name }) => name)]
  const garbage = named.filter((name) => name !== undefined)
  return await writer.renew(key, numberIn(newest.name), state, garbage, call)
}

async function damageOf(
  { reader, layout }: Database,
  name: string,
  call: S3Call,
): Promise<DamagedPart | undefined> {
  const known = keyOfFolder(folderIn(name))
  let version: Version | undefined
  try {
    version = await reader.listed(name, reader.now(), call)
    if (version !== undefined) await reader.load(version.key, call)
    return undefined
  } catch (error) {
    if (!isStorageError(error, 'CORRUPT')) throw error
    const key = version?.key ?? known
    const object = version === undefined ? name : layout.values(version.key) + version.base
    return { name: object, ...(key !== undefined && { key }) }
  }
}

async function readableState(
  fresh: Database,
  client: S3Client,
  { key, segments, tail, summary: { deletedThrough } }: Version,
  call: S3Call,
): Promise<KeyState> {
  const operations: Operation[] = []
  if (deletedThrough !== undefined) operations.push({ kind: 'delete', key, stamp: deletedThrough })
  for (const { name } of segments) {
    const object = fresh.layout.values(key) + name
    const bytes = await client.get(object, call)
    const content = await unlessDamaged(async () =>
      bytes === undefined
        ? undefined
        : (decodeObject('segment', object, bytes) as StoredOperations),
    )
    if (content !== undefined) operations.push(...decodeOperations(object, key, content.operations))
  }
  for (const operation of tail) {
    const { value } = operation as { readonly value?: never }
    if (value === undefined) operations.push(operation)
    else {
      const read = await unlessDamaged(async () => await fresh.reader.value(key, value, call))
      if (read !== undefined) operations.push({ ...operation, value: read } as Operation)
    }
  }
  const state = emptyState()
  for (const operation of operations) applyOperation(state, operation)
  return state
}

/** Undefined in place of what is damaged or missing. */
async function unlessDamaged<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ReplacedError || isStorageError(error, 'CORRUPT')) return undefined
    throw error
  }
}
