import { compareText } from '../../../core/text.ts'
import { compareLatest } from '../../key-states.ts'
import type { KeyQuery, LatestKey, LatestQuery } from '../../replica-backend.ts'
import type { S3Call, S3Client } from '../protocol/client.ts'
import type { Database } from '../database.ts'
import { cutPart, folderIn } from '../key/layout.ts'
import { KEYS_AT_ONCE, SUPERSEDED_MS_MIN } from '../protocol/limits.ts'
import { mapLimited } from '../../../core/semaphore.ts'
import type { Version } from '../key/version.ts'
import type { ListedObject } from '../protocol/xml.ts'

/** The newest versions of all keys with a prefix that stand after a key, in the order of keys. */
export async function* versionsWith(
  { layout, reader }: Pick<Database, 'layout' | 'reader'>,
  client: S3Client,
  prefix: string,
  after: string | undefined,
  call: S3Call,
): AsyncGenerator<Version> {
  const folders = new FolderWalk(client, layout.keysWith(prefix))
  let startAfter = after === undefined ? undefined : layout.after(after)
  if (startAfter !== undefined && startAfter < layout.keysWith(prefix)) startAfter = undefined
  for (;;) {
    const listedAt = reader.now()
    const page = await folders.next(startAfter, call)
    const found = await mapLimited(page.newest, KEYS_AT_ONCE, (name) =>
      reader.listed(name, listedAt, call),
    )
    const versions = found.filter((version) => version !== undefined)
    versions.sort((a, b) => compareText(a.key, b.key))
    for (const version of versions) {
      if (!version.key.startsWith(prefix)) continue
      if (after === undefined || compareText(version.key, after) > 0) yield version
    }
    if (page.done) return
    startAfter = undefined
  }
}

export async function listKeys(
  db: Database,
  client: S3Client,
  { prefix, after, limit }: KeyQuery,
  call: S3Call,
): Promise<{ keys: string[]; done: boolean }> {
  const keys: string[] = []
  for await (const { key, summary } of versionsWith(db, client, prefix, after, call)) {
    if (!summary.hasRegister && summary.latest === undefined) continue
    if (keys.length === limit) return { keys, done: false }
    keys.push(key)
  }
  return { keys, done: true }
}

/** Reads the newest version of every key with the prefix, unless it is known: names say no times. */
export async function listLatest(
  db: Database,
  client: S3Client,
  { prefix, before, limit }: LatestQuery,
  call: S3Call,
): Promise<{ keys: LatestKey[]; done: boolean }> {
  const keys: LatestKey[] = []
  for await (const { key, summary } of versionsWith(db, client, prefix, undefined, call)) {
    const { latest } = summary
    if (latest === undefined) continue
    if (before === undefined || compareLatest({ key, latest }, before) > 0) {
      keys.push({ key, latest })
    }
  }
  keys.sort(compareLatest)
  return { keys: keys.slice(0, limit), done: keys.length <= limit }
}

/**
 * Walks over folders of keys by lists, skipping what is left of a folder at the end of each list.
 * Old superseded versions that it comes by are removed.
 */
export class FolderWalk {
  readonly #client: S3Client
  readonly #prefix: string
  /** Newest versions of folders that were cut alike, and may go on in the next list. */
  #held: string[] = []
  #last: string | undefined

  constructor(client: S3Client, prefix: string) {
    this.#client = client
    this.#prefix = prefix
  }

  async next(
    startAfter: string | undefined,
    call: S3Call,
  ): Promise<{ newest: string[]; done: boolean }> {
    const from = startAfter ?? this.#last
    const options = from === undefined ? {} : { startAfter: from }
    const { objects, isTruncated } = await this.#client.list(this.#prefix, options, call)
    const newest = [...this.#held, ...newestOf(objects)]
    this.#held = []
    if (isTruncated) {
      this.#last = `${objects.at(-1)!.name.replace(/[^/]*$/, '')}~`
      const part = cutPart(folderIn(newest.at(-1)!))
      if (part !== undefined) {
        while (newest.length > 0 && cutPart(folderIn(newest.at(-1)!)) === part) {
          this.#held.unshift(newest.pop()!)
        }
      }
    }
    await this.#client.delete(supersededOf(objects, this.#client.serverNow()), call)
    return { newest, done: !isTruncated }
  }
}

/** The first name of each folder. */
function newestOf(objects: readonly ListedObject[]): string[] {
  return objects
    .filter(({ name }, i) => i === 0 || folderIn(name) !== folderIn(objects[i - 1]!.name))
    .map(({ name }) => name)
}

/** Versions that a newer one has replaced long ago. */
function supersededOf(objects: readonly ListedObject[], nowMs: number): string[] {
  return objects
    .filter(({ name }, i) => {
      const newer = objects[i - 1]
      if (newer === undefined || folderIn(newer.name) !== folderIn(name)) return false
      return nowMs - newer.modifiedMs > SUPERSEDED_MS_MIN
    })
    .map(({ name }) => name)
}
