import type { IncomingHttpHeaders } from 'node:http'
import type { ObjectStore } from './object-store.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

interface Request {
  readonly method: string
  readonly name: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

interface Habits {
  readonly ignoresConditions?: boolean
  readonly listMax?: number
}

/** What the protocol answers to a request whose signature is in order. */
export function answerRequest(
  store: ObjectStore,
  request: Request,
  habits: Habits,
  nowMs: number,
): Answer {
  const { method, name, query } = request
  if (name === '') {
    if (query.has('versioning')) return xml('<VersioningConfiguration></VersioningConfiguration>')
    if (method === 'GET') return list(store, query, habits.listMax ?? 1_000)
    if (method === 'POST' && query.has('delete')) return deleteMany(store, request.body)
    return error(405, 'MethodNotAllowed')
  }
  switch (method) {
    case 'GET':
    case 'HEAD':
      return get(store, request)
    case 'PUT':
      return query.has('uploadId')
        ? putPart(store, request, nowMs)
        : put(store, request, habits, nowMs)
    case 'POST':
      return upload(store, request, nowMs)
    case 'DELETE':
      if (query.has('uploadId')) store.uploads.delete(query.get('uploadId')!)
      else store.objects.delete(name)
      return { status: 204, headers: {}, body: Buffer.alloc(0) }
    default:
      return error(405, 'MethodNotAllowed')
  }
}

function get(store: ObjectStore, { name, method, headers }: Request): Answer {
  const object = store.objects.get(name)
  if (object === undefined) return error(404, 'NoSuchKey')
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '')
  const from = range === null ? 0 : Number(range[1])
  const to = range === null || range[2] === '' ? object.body.byteLength : Number(range[2]) + 1
  const body = method === 'HEAD' ? Buffer.alloc(0) : object.body.subarray(from, to)
  return {
    status: range === null ? 200 : 206,
    headers: { etag: object.etag, 'last-modified': new Date(object.modifiedMs).toUTCString() },
    body,
  }
}

function put(store: ObjectStore, request: Request, habits: Habits, nowMs: number): Answer {
  const { name, headers, body } = request
  const existing = store.objects.get(name)
  if (habits.ignoresConditions !== true) {
    if (headers['if-none-match'] === '*' && existing !== undefined) {
      return error(412, 'PreconditionFailed')
    }
    const tag = headers['if-match']
    if (tag !== undefined && existing?.etag !== tag) return error(412, 'PreconditionFailed')
  }
  return {
    status: 200,
    headers: { etag: store.put(name, body, nowMs).etag },
    body: Buffer.alloc(0),
  }
}

function putPart(store: ObjectStore, { query, body }: Request, nowMs: number): Answer {
  const part = store.putPart(query.get('uploadId')!, Number(query.get('partNumber')), body, nowMs)
  if (part === undefined) return error(404, 'NoSuchUpload')
  return { status: 200, headers: { etag: part.etag }, body: Buffer.alloc(0) }
}

function upload(store: ObjectStore, { name, query, body }: Request, nowMs: number): Answer {
  if (query.has('uploads')) {
    const id = store.startUpload(name)
    return xml(
      `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    )
  }
  const parts = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part]) => ({
    number: Number(/<PartNumber>(\d+)/.exec(part!)![1]),
    etag: /<ETag>(.*?)<\/ETag>/.exec(part!)![1]!.replaceAll('&quot;', '"'),
  }))
  const code = store.completeUpload(query.get('uploadId') ?? '', parts, nowMs)
  if (code !== undefined) return error(code === 'NoSuchUpload' ? 404 : 400, code)
  return xml('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
}

function deleteMany(store: ObjectStore, body: Buffer): Answer {
  const names = [...body.toString().matchAll(/<Key>(.*?)<\/Key>/gs)].map(([, name]) => name!)
  if (names.length > 1_000) return error(400, 'MalformedXML')
  for (const name of names) store.objects.delete(name)
  return xml('<DeleteResult></DeleteResult>')
}

function list(store: ObjectStore, query: URLSearchParams, listMax: number): Answer {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const after = query.get('continuation-token') ?? query.get('start-after') ?? ''
  const limit = Math.min(listMax, Number(query.get('max-keys') ?? '1000'))
  const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : (text: string) => text
  const entries: string[] = []
  const folders = new Set<string>()
  let last = ''
  let isTruncated = false
  for (const name of store.names(prefix, after)) {
    const at = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length)
    const folder = at === -1 ? undefined : name.slice(0, at + delimiter.length)
    if (folder !== undefined && folders.has(folder)) continue
    if (entries.length + folders.size >= limit) {
      isTruncated = true
      break
    }
    last = name
    if (folder !== undefined) {
      folders.add(folder)
      continue
    }
    const { body, etag, modifiedMs } = store.objects.get(name)!
    const modified = new Date(modifiedMs).toISOString()
    entries.push(
      `<Contents><Key>${encode(name)}</Key><LastModified>${modified}</LastModified>` +
        `<ETag>${etag.replaceAll('"', '&quot;')}</ETag><Size>${body.byteLength}</Size></Contents>`,
    )
  }
  const common = [...folders].map(
    (folder) => `<CommonPrefixes><Prefix>${encode(folder)}</Prefix></CommonPrefixes>`,
  )
  const next = isTruncated ? `<NextContinuationToken>${encode(last)}</NextContinuationToken>` : ''
  return xml(
    `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}` +
      `${entries.join('')}${common.join('')}</ListBucketResult>`,
  )
}

function xml(body: string): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n${body}`
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(text) }
}

function error(status: number, code: string): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`), status }
}
