import { createHash } from 'node:crypto'
import { Deadline } from '../../../core/deadline.ts'
import type { Env } from '../../../core/env.ts'
import { isStorageError, messageOf, StorageError, type Effect } from '../../../core/errors.ts'
import { awakeSleep } from '../../../core/keep-alive.ts'
import { backoffMs, unlessAborted } from '../../../core/time.ts'
import { CredentialSource } from './credentials.ts'
import { NAMES_MAX, PARTS_AT_ONCE, RETRY_FIRST_MS, RETRY_MS_MAX } from './limits.ts'
import type { ResolvedS3Options } from './options.ts'
import { isExpired, isNotSent, isPassing, refused, unanswered, type Refusal } from './s3-error.ts'
import { loadSigner, type Sign } from './signer.ts'
import { mapLimited, Semaphore } from '../../../core/semaphore.ts'
import {
  element,
  escapeXml,
  hasRoot,
  parseDeleteErrors,
  parseList,
  type ListAnswer,
  type ListedObject,
} from './xml.ts'

/** What ends a call: its caller, its time, or `disconnect`. */
export interface S3Call {
  readonly signal: AbortSignal
}

interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Below the root of the bucket; empty for the bucket itself. */
  readonly name: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signedAtMs?: number
}

interface S3Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
  /** An earlier try of this request may have had its effect. */
  readonly repeated: boolean
}

/** How many requests of each kind were sent, retries included. */
export type RequestCounts = Record<'get' | 'put' | 'list' | 'delete', number>

/**
 * The few calls of the S3 protocol that are needed. Each is sent again, a bounded number of times
 * and after a random delay, when the failure may pass; names are below the root of the options.
 */
export class S3Client {
  readonly counts: RequestCounts = { get: 0, put: 0, list: 0, delete: 0 }
  readonly #env: Env
  readonly #options: ResolvedS3Options
  readonly #credentials: CredentialSource
  readonly #semaphore: Semaphore
  #signer: Promise<Sign> | undefined
  /** The server's clock minus ours, as of its last answer. */
  #offsetMs = 0

  constructor(env: Env, options: ResolvedS3Options) {
    this.#env = env
    this.#options = options
    this.#credentials = new CredentialSource(env, options)
    this.#semaphore = new Semaphore(options.requestsMax)
  }

  /** The server's wall clock, which it tells in whole seconds. Unix milliseconds. */
  serverNow(): number {
    return this.#env.now() + this.#offsetMs
  }

  /** The whole object; undefined when there is none. */
  async get(name: string, call: S3Call): Promise<Buffer | undefined> {
    this.counts.get++
    const answer = await this.#send({ method: 'GET', name }, call, [404])
    if (answer.status !== 404) return answer.body
    const code = element(answer.body.toString(), 'Code')
    if (code === 'NoSuchBucket') throw this.#refused({ method: 'GET', name }, answer, 'none')
    return undefined
  }

  /** Writes an object, whatever was there. */
  async put(name: string, body: Uint8Array, call: S3Call): Promise<void> {
    if (body.byteLength > this.#options.multipartBytes) await this.#putParts(name, body, call)
    else {
      this.counts.put++
      await this.#send({ method: 'PUT', name, body }, call)
    }
  }

  /**
   * Writes an object where there is none: true when it did, false when one stands. The body must
   * be one that nobody else writes: that is how a lost answer is told from another's object.
   *
   * @param signedAtMs The server refuses the request when this is long ago, however long it was
   *   under way.
   */
  async create(
    name: string,
    body: Uint8Array,
    call: S3Call,
    signedAtMs: number = this.#env.now(),
  ): Promise<boolean> {
    this.counts.put++
    const headers = { 'if-none-match': '*' }
    const answer = await this.#send({ method: 'PUT', name, body, headers, signedAtMs }, call, [412])
    if (answer.status !== 412) return true
    if (!answer.repeated) return false
    try {
      return (await this.get(name, call))?.equals(body) === true
    } catch (error) {
      // Ours may be the one that stands.
      throw isStorageError(error) ? withEffect(error, 'unknown') : error
    }
  }

  /** The names with this prefix above `startAfter`, in the order of their bytes. */
  async list(
    prefix: string,
    { startAfter, limit = NAMES_MAX }: { readonly startAfter?: string; readonly limit?: number },
    call: S3Call,
  ): Promise<ListAnswer> {
    this.counts.list++
    const { root } = this.#options
    const query = {
      'list-type': '2',
      'encoding-type': 'url',
      'max-keys': String(limit),
      prefix: root + prefix,
      ...(startAfter !== undefined && { 'start-after': root + startAfter }),
    }
    const request = { method: 'GET', name: '', query } as const
    const xml = await this.#document(request, call, 'ListBucketResult')
    const { objects, isTruncated } = this.#parsed(request, 'none', () => parseList(xml))
    if (isTruncated && objects.length === 0) {
      // Taken for an end it would hide what stands behind it.
      const text = `S3: ${this.#nameOf(request)}: a list without names says that there are more`
      throw new StorageError('UNAVAILABLE', text, { effect: 'none' })
    }
    return {
      objects: objects.map((object) => ({ ...object, name: object.name.slice(root.length) })),
      isTruncated,
    }
  }

  /** All names with this prefix, list by list. */
  async listAll(prefix: string, call: S3Call): Promise<readonly ListedObject[]> {
    const objects: ListedObject[] = []
    for (let page: ListAnswer | undefined; page?.isTruncated !== false;) {
      const last = objects.at(-1)?.name
      page = await this.list(prefix, last === undefined ? {} : { startAfter: last }, call)
      objects.push(...page.objects)
    }
    return objects
  }

  /** Whether the bucket keeps old versions of objects; undefined when it does not tell us. */
  async keepsVersions(call: S3Call): Promise<boolean | undefined> {
    this.counts.get++
    const request = { method: 'GET', name: '', query: { versioning: '' } } as const
    const { status, body } = await this.#send(request, call, [400, 403, 404, 405, 501])
    const xml = body.toString()
    if (status >= 300 || !hasRoot(xml, 'VersioningConfiguration')) return undefined
    // `Suspended` keeps those that were made before.
    return element(xml, 'Status') !== ''
  }

  /** Removes objects; those that are not there count as removed. */
  async delete(names: readonly string[], call: S3Call): Promise<void> {
    for (let from = 0; from < names.length; from += NAMES_MAX) {
      const some = names.slice(from, from + NAMES_MAX)
      this.counts.delete++
      if (some.length === 1) {
        await this.#send({ method: 'DELETE', name: some[0]! }, call, [404])
      } else {
        await this.#deleteMany(some, call)
      }
    }
  }

  async #deleteMany(names: readonly string[], call: S3Call): Promise<void> {
    const { root } = this.#options
    const objects = names.map((name) => `<Object><Key>${escapeXml(root + name)}</Key></Object>`)
    const body = Buffer.from(`<Delete><Quiet>true</Quiet>${objects.join('')}</Delete>`)
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    const request = { method: 'POST', name: '', query: { delete: '' }, headers, body } as const
    const xml = await this.#document(request, call, 'DeleteResult')
    const errors = this.#parsed(request, 'unknown', () => parseDeleteErrors(xml))
    if (errors.length === 0) return
    const text = `S3: ${errors.length} of ${names.length} objects were not deleted: ${errors[0]}`
    throw new StorageError('UNAVAILABLE', text, { effect: 'unknown' })
  }

  /** In parts: all of them or nothing, since the object appears when they are put together. */
  async #putParts(name: string, body: Uint8Array, call: S3Call): Promise<void> {
    const size = this.#options.multipartBytes
    this.counts.put++
    const start = { method: 'POST', name, query: { uploads: '' } } as const
    const started = await this.#document(start, call, 'InitiateMultipartUploadResult')
    const uploadId = element(started, 'UploadId')
    const parts: number[] = []
    for (let from = 0; from < body.byteLength; from += size) parts.push(from)
    try {
      const tags = await mapLimited(parts, PARTS_AT_ONCE, async (from) => {
        this.counts.put++
        const query = { partNumber: String(from / size + 1), uploadId }
        const part = body.subarray(from, from + size)
        const { headers } = await this.#send({ method: 'PUT', name, query, body: part }, call)
        return headers.get('etag') ?? ''
      })
      const list = tags.map(
        (tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
      )
      const whole = Buffer.from(
        `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`,
      )
      this.counts.put++
      const request = { method: 'POST', name, query: { uploadId }, body: whole } as const
      // This one may fail with status 200: it is answered before the work is done.
      await this.#document(request, call, 'CompleteMultipartUploadResult')
    } catch (error) {
      // A lifecycle rule removes what this cannot; docs/configuration.md has it.
      await this.#send({ method: 'DELETE', name, query: { uploadId } }, call, [404]).catch(() => {})
      throw error
    }
  }

  /**
   * Sends a request that is answered by a document. A status of 200 alone says nothing: a proxy may have
   * given it, and a page of its own would read as an empty list, or as done.
   */
  async #document(request: S3Request, call: S3Call, root: string): Promise<string> {
    const answer = await this.#send(request, call)
    const xml = answer.body.toString()
    if (hasRoot(xml, root)) return xml
    const effect = request.method === 'GET' ? 'none' : 'unknown'
    if (hasRoot(xml, 'Error')) throw this.#refused(request, answer, effect)
    throw new StorageError('UNAVAILABLE', `S3: ${this.#nameOf(request)}: no ${root} came`, {
      effect,
    })
  }

  /** What a document says; one that cannot be read is no answer. */
  #parsed<T>(request: S3Request, effect: Effect, parse: () => T): T {
    try {
      return parse()
    } catch (cause) {
      const text = `S3: ${this.#nameOf(request)}: ${messageOf(cause)}`
      throw new StorageError('UNAVAILABLE', text, { effect, cause })
    }
  }

  #nameOf({ method, name }: Pick<S3Request, 'method' | 'name'>): string {
    const { bucket, root } = this.#options
    return `${method} ${bucket}/${root}${name}`
  }

  /** Sends a request until it is answered for good. `expected` are answers that are no errors. */
  async #send(
    request: S3Request,
    call: S3Call,
    expected: readonly number[] = [],
  ): Promise<S3Answer> {
    const what = this.#nameOf(request)
    const writes = request.method !== 'GET'
    let effect: Effect = 'none'
    for (let attempt = 0; ; attempt++) {
      let failure: StorageError
      let isSent = false
      const onSend = (): void => void (isSent = true)
      try {
        const answer = await this.#semaphore.run(() => this.#attempt(request, call, onSend))
        const repeated = effect === 'unknown'
        if (answer.status < 300 || expected.includes(answer.status)) return { ...answer, repeated }
        const refusal = refusalOf(answer)
        if (isExpired(refusal)) this.#credentials.forget()
        else if (!isPassing(refusal)) throw refused(what, refusal, effect)
        if (writes && refusal.status >= 500) effect = 'unknown'
        failure = refused(what, refusal, effect)
      } catch (error) {
        if (writes && isSent && !isNotSent(error)) effect = 'unknown'
        if (call.signal.aborted) throw aborted(what, call.signal, effect)
        // A try before this one may have had its effect.
        if (error instanceof StorageError) throw withEffect(error, effect)
        failure = unanswered(what, error, effect)
      }
      if (attempt >= this.#options.retriesMax) throw failure
      const wait = backoffMs(this.#env, attempt, { firstMs: RETRY_FIRST_MS, maxMs: RETRY_MS_MAX })
      await awakeSleep(this.#env, wait, call.signal)
      if (call.signal.aborted) throw aborted(what, call.signal, effect)
    }
  }

  async #attempt(
    request: S3Request,
    call: S3Call,
    onSend: () => void,
  ): Promise<Omit<S3Answer, 'repeated'>> {
    const { bucketUrl, root, region, requestTimeoutMs } = this.#options
    const { method, name, query = {}, body, signedAtMs = this.#env.now() } = request
    call.signal.throwIfAborted()
    const search = new URLSearchParams(query).toString().replaceAll('+', '%20')
    const path = name === '' ? '' : `/${root}${name}`
    const url = `${bucketUrl}${path}${search === '' ? '' : `?${search}`}`
    const sha256 = createHash('sha256')
      .update(body ?? '')
      .digest('hex')
    const headers = { ...request.headers, 'x-amz-content-sha256': sha256 }
    this.#signer ??= loadSigner()
    const sign = await this.#signer
    return await new Deadline(this.#env, requestTimeoutMs).during(async (limit) => {
      const signal = AbortSignal.any([call.signal, limit])
      // Whoever gives them may take any time, or for ever.
      const credentials = await unlessAborted(this.#env, signal, this.#credentials.get())
      const signed = await sign({ method, url, headers, region, credentials, signedAtMs })
      onSend()
      const answer = await fetch(url, {
        method,
        headers: signed,
        redirect: 'manual',
        signal,
        ...(body !== undefined && { body }),
      })
      const bytes = Buffer.from(await answer.arrayBuffer())
      this.#observeClock(answer.headers)
      return { status: answer.status, headers: answer.headers, body: bytes }
    })
  }

  #observeClock(headers: Headers): void {
    const date = Date.parse(headers.get('date') ?? '')
    if (Number.isNaN(date)) return
    // Told in whole seconds: a clock within the second is as right as can be known.
    const ahead = this.#env.now() - date
    this.#offsetMs = ahead >= 0 && ahead <= 2_000 ? 0 : 500 - ahead
  }

  #refused(
    request: Pick<S3Request, 'method' | 'name'>,
    answer: Omit<S3Answer, 'repeated'>,
    effect: Effect,
  ): StorageError {
    return refused(this.#nameOf(request), refusalOf(answer), effect)
  }
}

function withEffect(error: StorageError, effect: Effect): StorageError {
  if (effect === 'none' || error.effect === 'unknown') return error
  return new StorageError(error.code, error.message, { effect, cause: error })
}

function refusalOf({ status, body }: Pick<S3Answer, 'status' | 'body'>): Refusal {
  const text = body.toString()
  const code = element(text, 'Code')
  return { status, code: code === '' ? 'HTTP' : code, message: element(text, 'Message') }
}

function aborted(what: string, signal: AbortSignal, effect: Effect): StorageError {
  const reason: unknown = signal.reason
  if (reason instanceof StorageError && reason.code === 'CLOSED') {
    return new StorageError('CLOSED', reason.message, { effect })
  }
  return new StorageError('TIMEOUT', `S3: ${what} was given up`, { effect, cause: reason })
}
