import { messageOf, StorageError } from '../../core/errors.ts'
import type { Env } from '../../core/env.ts'
import type { S3Call, S3Client } from './protocol/client.ts'
import { NameLock } from '../../core/name-lock.ts'
import { KeyReader } from './key/key-reader.ts'
import { KeyWriter } from './key/key-writer.ts'
import { IDENTITY_NAME, Layout } from './key/layout.ts'
import { LeaseStore } from './notes/leases.ts'
import { MarkStore } from './notes/marks.ts'
import { decodeObject, encodeObject } from './key/object-format.ts'

/** The database that stands in the bucket, and what is known of it. */
export interface Database {
  readonly identity: string
  readonly layout: Layout
  readonly reader: KeyReader
  readonly writer: KeyWriter
  readonly marks: MarkStore
  readonly leases: LeaseStore
  /** Within this process keys are written one at a time: what would only race for a name need not. */
  readonly locks: NameLock
}

interface StoredIdentity {
  readonly identity: string
}

/** What is needed to look at a bucket. */
export interface DatabaseOptions {
  readonly env: Env
  readonly client: S3Client
  readonly cacheBytes: number
}

/** The identity of the database in the bucket; it is made where there is none. */
export async function readIdentity(
  { env, client }: DatabaseOptions,
  call: S3Call,
): Promise<string> {
  const existing = await client.get(IDENTITY_NAME, call)
  if (existing !== undefined) return identityIn(existing)
  const identity = Buffer.from(env.randomBytes(16)).toString('hex')
  if (await client.create(IDENTITY_NAME, encodeObject('identity', { identity }), call)) {
    return identity
  }
  const other = await client.get(IDENTITY_NAME, call)
  if (other !== undefined) return identityIn(other)
  throw new StorageError('UNAVAILABLE', 'S3: the identity of the database keeps changing')
}

export function openDatabase(
  { env, client, cacheBytes }: DatabaseOptions,
  identity: string,
): Database {
  const layout = new Layout(identity)
  const reader = new KeyReader(env, client, layout, cacheBytes)
  const writer = new KeyWriter({ env, client, layout, reader })
  const marks = new MarkStore(env, client, layout)
  const leases = new LeaseStore(env, client, layout)
  return { identity, layout, reader, writer, marks, leases, locks: new NameLock() }
}

/**
 * Refuses a server that lets two writers create the same name: there acknowledged messages would be
 * lost as soon as two processes write to one conversation.
 */
export async function probe({ env, client }: DatabaseOptions, call: S3Call): Promise<void> {
  const random = Buffer.from(env.randomBytes(12)).toString('hex')
  const name = `probe/${random}`
  const first = await client.create(name, Buffer.from(`first ${random}`), call)
  const second = await client.create(name, Buffer.from(`second ${random}`), call)
  const existing = (await client.get(name, call))?.toString()
  await client.delete([name], call).catch((error: unknown) => {
    env.logger.debug({ error: messageOf(error) }, 'S3: the probe was not removed')
  })
  if (first && !second && existing === `first ${random}`) return
  throw new StorageError(
    'UNSUPPORTED',
    'S3: this server ignores conditional writes (If-None-Match): messages could be lost there',
  )
}

function identityIn(bytes: Buffer): string {
  return (decodeObject('identity', IDENTITY_NAME, bytes) as StoredIdentity).identity
}
