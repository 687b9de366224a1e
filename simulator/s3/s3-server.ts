import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { checkSignature, type SignatureKeys } from './check-signature.ts'
import { answerRequest, type Answer } from './answer-request.ts'
import { ObjectStore } from './object-store.ts'

/** What becomes of one request. */
export type S3Fault =
  /** The connection ends before the request had its effect. */
  | 'lost-request'
  /** The request has its effect, then the connection ends. */
  | 'lost-reply'
  /** It has its effect, and half of the answer arrives. */
  | 'truncated-reply'
  /** 500 after the effect: the server does not know. */
  | 'internal-error'
  /** 503 SlowDown, without an effect. */
  | 'slow-down'
  /** It is never answered, and has no effect. */
  | 'hang'
  /** 200 with a page of a proxy, without an effect. */
  | 'foreign-page'

/** A request as faults are chosen by. */
export interface S3Request {
  readonly method: string
  /** Without the bucket. */
  readonly name: string
  readonly query: URLSearchParams
}

export interface S3ServerOptions {
  /** Buckets that are there. Default: `bucket`. */
  readonly buckets?: readonly string[]
  /** Accepts a second object of a name in spite of `If-None-Match`, as some servers do. */
  readonly ignoresConditions?: boolean
  /** Most names of one list, whatever is asked for. Default: 1,000. */
  readonly listMax?: number
}

/**
 * A server of the S3 protocol in this process, in memory: path style, signatures checked,
 * conditional writes, lists of version 2, multipart uploads, deletes of many. For tests.
 */
export class S3Server {
  readonly keys: SignatureKeys = { accessKeyId: 'test-key', secretAccessKey: 'test/secret+key' }
  /** Chooses the fault of a request, if it is to have one. */
  fault: (request: S3Request) => S3Fault | undefined = () => undefined
  /** Called before each request is looked at. */
  onRequest: (request: S3Request) => void | Promise<void> = () => {}
  /** Added to the server's clock. */
  clockOffsetMs = 0
  readonly #stores = new Map<string, ObjectStore>()
  readonly #options: S3ServerOptions
  readonly #server: Server

  constructor(options: S3ServerOptions = {}) {
    this.#options = options
    for (const name of options.buckets ?? ['bucket']) this.#stores.set(name, new ObjectStore())
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async start(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  /** What a bucket holds, by name: to look into, and to damage. */
  store(bucket = 'bucket'): ObjectStore {
    return this.#stores.get(bucket)!
  }

  now(): number {
    return Date.now() + this.clockOffsetMs
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of message) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const target = message.url ?? '/'
    const [path, search = ''] = target.split('?')
    const [bucket = '', ...rest] = decodeURIComponent(path!).slice(1).split('/')
    const method = message.method ?? 'GET'
    const request = { method, name: rest.join('/'), query: new URLSearchParams(search) }
    await this.onRequest(request)
    const fault = this.fault(request)
    if (fault === 'lost-request') return void response.destroy()
    if (fault === 'hang') return
    if (fault === 'slow-down') return send(response, this.#error(503, 'SlowDown'))
    if (fault === 'foreign-page') return send(response, FOREIGN_PAGE)
    const { headers } = message
    const refusal = checkSignature({ method, target, headers, body }, this.keys, this.now())
    const store = this.#stores.get(bucket)
    const answer =
      refusal !== undefined
        ? this.#error(refusal === 'XAmzContentSHA256Mismatch' ? 400 : 403, refusal)
        : store === undefined
          ? this.#error(404, 'NoSuchBucket')
          : answerRequest(store, { ...request, headers, body }, this.#options, this.now())
    if (fault === 'lost-reply') return void response.destroy()
    if (fault === 'internal-error') return send(response, this.#error(500, 'InternalError'))
    response.setHeader('date', new Date(this.now()).toUTCString())
    if (fault !== 'truncated-reply') return send(response, answer)
    response.writeHead(answer.status, {
      ...answer.headers,
      'content-length': String(answer.body.byteLength + 100),
    })
    response.write(answer.body.subarray(0, answer.body.byteLength >> 1), () => response.destroy())
  }

  #error(status: number, code: string): Answer {
    const body = Buffer.from(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`)
    return { status, headers: { 'content-type': 'application/xml' }, body }
  }
}

const FOREIGN_PAGE: Answer = {
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: Buffer.from('<html><body>Please log in.</body></html>'),
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': String(body.byteLength) })
  response.end(body)
}
