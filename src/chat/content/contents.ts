import { createHash } from 'node:crypto'
import { invalid, StorageError } from '../../core/errors.ts'
import { reading } from '../../core/given.ts'
import { checkArray } from '../../core/limits.ts'
import { resolve } from '../../core/options.ts'
import type { GroupChange } from '../../store/groups.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { tenantPrefix } from '../keys.ts'
import { ContentCleaner } from './content-cleaner.ts'
import { readHead, standing, type ContentHead } from './content-head.ts'
import {
  CLEAN_CONTENT,
  CONTENT_BYTES_MAX,
  SAVE_CONTENT,
  type CleanContentOptions,
  type CleanContentReport,
  type ContentData,
  type SaveContentOptions,
  type SavedContent,
  type StoredContent,
} from './content-options.ts'
import { checkRef, nameIn, refOf, refsIn, type ContentRef } from './content-ref.ts'
import { readChunks } from './read-content.ts'
import { inBoth, piecesOf, Upload, type Uploaded } from './upload.ts'

/** References of one save. */
const REFS_MAX = 1_000

/** Contents of one tenant: what `ChatHistory` makes of its calls. */
export class Contents {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #cleaner: ContentCleaner

  constructor(store: StrategicStorageManager, tenant: string) {
    this.#store = store
    this.#tenant = tenant
    this.#cleaner = new ContentCleaner(store, tenant)
  }

  async save(data: ContentData, given?: SaveContentOptions): Promise<SavedContent> {
    const { mediaType, signal } = resolve('', given, SAVE_CONTENT)
    const pieces = piecesOf(data)
    if (data instanceof Uint8Array) {
      const { byteLength: size } = data
      if (size > CONTENT_BYTES_MAX) {
        throw invalid(`data must be at most ${CONTENT_BYTES_MAX} bytes, got ${size}`)
      }
      const known = await this.#again(createHash('sha256').update(data).digest('hex'))
      if (known !== undefined) return known
    }
    const id = this.#store.groups.newId()
    const chunks = this.#chunksKey(id)
    let uploaded: Uploaded | undefined
    try {
      uploaded = await new Upload(this.#store, chunks).take(pieces, signal)
      const { size, stored, sha256 } = uploaded
      const hash = sha256.toString('hex')
      const known = data instanceof Uint8Array ? undefined : await this.#again(hash)
      if (known !== undefined) {
        await this.#drop(chunks)
        return known
      }
      await this.#checkWhole(chunks, uploaded)
      const name = this.#namesOf(hash)[0]!
      const type = mediaType === undefined ? {} : { mediaType }
      const value = { chunks: uploaded.chunks, size, sha256: hash, ...type }
      const key = this.#headKey(name)
      const outcome = await this.#store.groups.write([{ kind: 'put', key, id: `at/${id}`, value }])
      return { ref: refOf(name), size, ...inBoth(stored, outcome), isNew: true }
    } catch (error) {
      // Once all of it was sent it may stand: then the pass finds what is needless.
      if (uploaded === undefined) await this.#drop(chunks)
      throw error
    }
  }

  async read(ref: string): Promise<StoredContent> {
    checkRef(ref)
    const head = await readHead(this.#store, this.#headKey(nameIn(ref)))
    const upload = standing(head) ?? head.uploads[0]
    if (upload === undefined) throw notFound(ref, head)
    const { size, mediaType } = upload
    const stream = (): AsyncGenerator<Uint8Array, void, undefined> =>
      readChunks(this.#store, this.#chunksKey(upload.id), ref, upload)
    return {
      ref,
      size,
      ...(mediaType !== undefined && { mediaType }),
      stream,
      bytes: async () => {
        const chunks: Uint8Array[] = []
        for await (const chunk of stream()) chunks.push(chunk)
        return Buffer.concat(chunks)
      },
    }
  }

  /**
   * Notes that the conversation refers to what these messages name, before they are saved: whoever removes
   * content sees the note, or has said before that it goes.
   *
   * @throws StorageError `NOT_FOUND` for content that is not there, `CONFLICT` for content that is about to go,
   * `UNAVAILABLE` when it was not found and a place is away.
   */
  async refer(conversationId: string, messages: readonly object[]): Promise<void> {
    checkArray('messages', messages)
    const refs = reading('messages', () => new Set(messages.flatMap((each) => [...refsIn(each)])))
    if (refs.size === 0) return
    if (refs.size > REFS_MAX) {
      throw invalid(`messages must refer to at most ${REFS_MAX} contents, got ${refs.size}`)
    }
    const keys = [...refs].map((ref) => ({ ref, key: this.#headKey(nameIn(ref)) }))
    const check = async (): Promise<void> => {
      for (const { ref, key } of keys) checkStanding(ref, await readHead(this.#store, key))
    }
    await check()
    const id = `ref/${conversationId}`
    await this.#store.groups.write(keys.map(({ key }) => ({ kind: 'put', key, id, value: 1 })))
    await check()
  }

  async clean(given?: CleanContentOptions): Promise<CleanContentReport> {
    const { graceMs, signal } = resolve('', given, CLEAN_CONTENT)
    return await this.#cleaner.clean(graceMs, signal)
  }

  /** Changes that remove what only this conversation refers to, for the group that erases it. */
  async onlyOf(conversationId: string): Promise<readonly GroupChange[]> {
    return await this.#cleaner.onlyOf(conversationId)
  }

  /** The same bytes, if they are there and stay. */
  async #again(sha256: string): Promise<SavedContent | undefined> {
    for (const name of this.#namesOf(sha256)) {
      const key = this.#headKey(name)
      if (standing(await readHead(this.#store, key)) === undefined) continue
      // Whoever removes content sees this, or has said before that it goes.
      const seen = { kind: 'put', key, id: 'seen', value: 1 } as const
      const { copies, durable } = await this.#store.groups.write([seen])
      const upload = standing(await readHead(this.#store, key))
      if (upload === undefined) continue
      return { ref: refOf(name), size: upload.size, copies, durable, isNew: false }
    }
    return undefined
  }

  /** An upload that stood still for longer than the grace time may have been taken for a dead one. */
  async #checkWhole(key: string, { chunks }: Uploaded): Promise<void> {
    const { count, complete } = await this.#store.countItems(key)
    if (count === chunks || !complete) return
    throw new StorageError('CONFLICT', 'the upload was removed while it stood still: save it again')
  }

  async #drop(key: string): Promise<void> {
    // What cannot be removed now is what a killed process leaves: the pass finds it.
    await this.#store.groups.write([{ kind: 'delete', key }]).catch(() => {})
  }

  /** Names of content: keyed where there are keys, since names are stored plain. */
  #namesOf(sha256: string): readonly string[] {
    const keyed = this.#store.keyedNames(`${this.#tenant}\n${sha256}`)
    return keyed.length === 0 ? [`sha256-${sha256}`] : keyed.map((name) => `hmac-${name}`)
  }

  #headKey(name: string): string {
    return tenantPrefix(this.#tenant, 'content') + name
  }

  #chunksKey(id: string): string {
    return tenantPrefix(this.#tenant, 'chunk') + id
  }
}

function checkStanding(ref: ContentRef, head: ContentHead): void {
  if (standing(head) !== undefined) return
  if (head.uploads.length === 0) throw notFound(ref, head)
  throw new StorageError('CONFLICT', `${ref} is about to be removed: save it again`)
}

function notFound(ref: ContentRef, { complete }: ContentHead): StorageError {
  return complete
    ? new StorageError('NOT_FOUND', `there is no ${ref}`)
    : new StorageError(
        'UNAVAILABLE',
        `${ref} was not found, and a place that may have it cannot be reached`,
      )
}
