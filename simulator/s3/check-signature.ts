import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Servers refuse a signature that is further from their clock. Milliseconds. */
const SKEW_MS_MAX = 15 * 60_000

export interface SignedRequest {
  readonly method: string
  /** As it came, with its query. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface SignatureKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** The code of the error that the protocol has for this request; undefined when it is in order. */
export function checkSignature(
  request: SignedRequest,
  keys: SignatureKeys,
  nowMs: number,
): string | undefined {
  const { headers, body } = request
  const authorization =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
      headers.authorization ?? '',
    )
  if (authorization === null) return 'AccessDenied'
  const [, accessKeyId, scope, signedHeaders, signature] = authorization
  if (accessKeyId !== keys.accessKeyId) return 'InvalidAccessKeyId'
  if ((headers['x-amz-security-token'] ?? '') !== (keys.sessionToken ?? '')) return 'InvalidToken'
  const date = String(headers['x-amz-date'])
  const time = Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
  if (!(Math.abs(time - nowMs) <= SKEW_MS_MAX)) return 'RequestTimeTooSkewed'
  const sha256 = createHash('sha256').update(body).digest('hex')
  if (headers['x-amz-content-sha256'] !== sha256) return 'XAmzContentSHA256Mismatch'
  const names = signedHeaders!.split(';')
  const required = ['host', 'x-amz-date', 'x-amz-content-sha256']
  const present = Object.keys(headers).filter(
    (name) => name.startsWith('x-amz-') || name.startsWith('if-'),
  )
  if ([...required, ...present].some((name) => !names.includes(name))) return 'AccessDenied'
  const text = canonical(request, names, sha256)
  const toSign = ['AWS4-HMAC-SHA256', date, scope, hex(text)].join('\n')
  const key = scope!
    .split('/')
    .reduce<Buffer>(
      (secret, part) => hmac(secret, part),
      Buffer.from(`AWS4${keys.secretAccessKey}`),
    )
  const expected = Buffer.from(hmac(key, toSign).toString('hex'))
  const given = Buffer.from(signature!)
  if (given.byteLength === expected.byteLength && timingSafeEqual(given, expected)) return undefined
  return 'SignatureDoesNotMatch'
}

function canonical(
  { method, target, headers }: SignedRequest,
  names: string[],
  sha256: string,
): string {
  const [path, query = ''] = target.split('?')
  const pairs = query === '' ? [] : query.split('&').map((pair) => pair.split('=', 2))
  const search = pairs
    .map(([name, value = '']) => [name!, value] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${recode(name)}=${recode(value)}`)
    .join('&')
  const lines = names.map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`)
  const segments = path!.split('/').map(recode).join('/')
  return [method, segments, search, lines.join(''), names.join(';'), sha256].join('\n')
}

/** Encoded once, as the rules of signatures have it, whatever the client's habits. */
function recode(text: string): string {
  const plain = decodeURIComponent(text.replaceAll('+', ' '))
  return encodeURIComponent(plain).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
