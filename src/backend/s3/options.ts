import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { refuseUnknown, type FieldsOf } from '../../core/options.ts'
import { decodeUrlPart } from '../decode-url-part.ts'
import { DEFAULT_MULTIPART_BYTES, MULTIPART_BYTES_MIN } from './limits.ts'

/** What signs the requests. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** When they end, Unix milliseconds: new ones are asked for some minutes before. */
  readonly expiresAt?: number
}

/** Options of a bucket as a database. */
export interface S3Options {
  /**
   * `s3://bucket/prefix`; `?region=…`, `?endpoint=…`, `?pathStyle=true` and `?profile=…` are
   * understood. Credentials have no place in it. Fields given beside it win.
   */
  readonly url?: string
  readonly bucket?: string
  /** What every name in the bucket starts with. Default: `everthread`. */
  readonly prefix?: string
  /** Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, else `us-east-1`. */
  readonly region?: string
  /**
   * Where the server is, with its scheme: `https://minio.internal:9000`. Default:
   * `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, else that of AWS in the region.
   */
  readonly endpoint?: string
  /** The bucket stands in the path, not in the host. Default: true with an endpoint of yours. */
  readonly pathStyle?: boolean
  /**
   * Default: the standard chain: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, the shared
   * credentials and config files, the metadata endpoint of the container or the instance.
   */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /** Profile of the shared files. Default: `AWS_PROFILE`, else `default`. */
  readonly profile?: string
  /** Longest wait for one answer. Milliseconds. Default: 5,000. */
  readonly requestTimeoutMs?: number
  /** Longest time of a call with all its requests and retries. Milliseconds. Default: 30,000. */
  readonly callTimeoutMs?: number
  /** Times a request is sent again after a failure that may pass. Default: 3. */
  readonly retriesMax?: number
  /** Requests under way at once. Default: 32. */
  readonly requestsMax?: number
  /** Objects of more bytes are sent in parts of this size. Default: 8 MiB, the least is 5 MiB. */
  readonly multipartBytes?: number
  /** Bytes of what was read that are kept in memory, so that it is not read again. Default: 64 MiB. */
  readonly cacheBytes?: number
  /** Whether the server keeps what it acknowledged: S3 does, one in memory does not. Default: true. */
  readonly durable?: boolean
}

export interface ResolvedS3Options {
  readonly bucket: string
  /** Ends with a slash. */
  readonly root: string
  readonly region: string
  /** The URL of the bucket, without a slash at its end. */
  readonly bucketUrl: string
  readonly credentials: S3Options['credentials']
  readonly profile: string | undefined
  readonly requestTimeoutMs: number
  readonly callTimeoutMs: number
  readonly retriesMax: number
  readonly requestsMax: number
  readonly multipartBytes: number
  readonly cacheBytes: number
  readonly durable: boolean
}

const TIMER_MS_MAX = 2 ** 31 - 1
/** A name has at most 1,024 bytes, most of which are the key's. */
const PREFIX_BYTES_MAX = 200
const QUERY = ['region', 'endpoint', 'pathStyle', 'profile']

const FIELDS: FieldsOf<S3Options & { readonly type: string }> = {
  type: true,
  url: true,
  bucket: true,
  prefix: true,
  region: true,
  endpoint: true,
  pathStyle: true,
  credentials: true,
  profile: true,
  requestTimeoutMs: true,
  callTimeoutMs: true,
  retriesMax: true,
  requestsMax: true,
  multipartBytes: true,
  cacheBytes: true,
  durable: true,
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveS3Options(
  options: S3Options,
  environment: NodeJS.ProcessEnv = process.env,
): ResolvedS3Options {
  refuseUnknown('', options, FIELDS)
  const given = { ...(options.url === undefined ? {} : parseUrl(options.url)), ...defined(options) }
  const { bucket, prefix = 'everthread', credentials, profile, durable = true } = given
  const region =
    given.region ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? 'us-east-1'
  const endpoint =
    given.endpoint ?? environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL']
  const numbers = {
    requestTimeoutMs: checkInteger(
      'requestTimeoutMs',
      given.requestTimeoutMs ?? 5_000,
      1,
      TIMER_MS_MAX,
    ),
    callTimeoutMs: checkInteger('callTimeoutMs', given.callTimeoutMs ?? 30_000, 1, TIMER_MS_MAX),
    retriesMax: checkInteger('retriesMax', given.retriesMax ?? 3, 0, 20),
    requestsMax: checkInteger('requestsMax', given.requestsMax ?? 32, 1, 1_000),
    multipartBytes: checkInteger(
      'multipartBytes',
      given.multipartBytes ?? DEFAULT_MULTIPART_BYTES,
      MULTIPART_BYTES_MIN,
      1024 ** 3,
    ),
    cacheBytes: checkInteger('cacheBytes', given.cacheBytes ?? 64 * 1024 ** 2, 0, 2 ** 40),
  }
  checkBucket(bucket)
  checkPrefix(prefix)
  if (typeof region !== 'string' || !/^[a-z0-9-]{1,64}$/i.test(region)) {
    throw invalid('region must be letters, digits and dashes')
  }
  const pathStyle = given.pathStyle ?? (endpoint !== undefined || bucket.includes('.'))
  return {
    bucket,
    root: prefix === '' ? '' : `${prefix}/`,
    region,
    bucketUrl: bucketUrl(bucket, region, endpoint, pathStyle),
    credentials,
    profile,
    durable,
    ...numbers,
  }
}

function bucketUrl(
  bucket: string,
  region: string,
  endpoint: string | undefined,
  pathStyle: boolean,
): string {
  const base = endpoint ?? `https://s3.${region}.amazonaws.com`
  const url = URL.canParse(base) ? new URL(base) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw invalid('endpoint must be an https:// or http:// URL')
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw invalid('endpoint must be a URL without credentials, query and fragment')
  }
  const path = url.pathname.replace(/\/+$/, '')
  return pathStyle
    ? `${url.protocol}//${url.host}${path}/${bucket}`
    : `${url.protocol}//${bucket}.${url.host}${path}`
}

function checkBucket(bucket: string | undefined): asserts bucket is string {
  if (typeof bucket === 'string' && /^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$/.test(bucket)) {
    return
  }
  throw invalid('bucket must be the name of a bucket: 3 to 255 letters, digits, dots and dashes')
}

function checkPrefix(prefix: string): void {
  const isPath = /^(?:[\w.=-]+(?:\/[\w.=-]+)*)?$/.test(prefix)
  const hasDots = prefix.split('/').some((part) => part === '.' || part === '..')
  if (isPath && !hasDots && prefix.length <= PREFIX_BYTES_MAX) return
  throw invalid(
    `prefix must be at most ${PREFIX_BYTES_MAX} letters, digits, . _ = - with single slashes between`,
  )
}

/** Never quotes the URL in an error: somebody may have put a secret into it. */
function parseUrl(text: string): S3Options {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 's3:' || url.hostname === '') {
    throw invalid('url must be s3://bucket/prefix')
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('url of S3 holds no credentials; use credentials or the environment')
  }
  const query = url.searchParams
  for (const name of query.keys()) {
    if (!QUERY.includes(name)) {
      throw invalid(`url of S3 understands ${QUERY.join(', ')}, not ${JSON.stringify(name)}`)
    }
  }
  const prefix = decodeUrlPart(url.pathname, 'prefix').replace(/^\/+|\/+$/g, '')
  const [region, endpoint, profile] = ['region', 'endpoint', 'profile'].map((name) =>
    query.get(name),
  )
  const pathStyle = query.get('pathStyle')
  if (pathStyle !== null && pathStyle !== 'true' && pathStyle !== 'false') {
    throw invalid('pathStyle in the url must be true or false')
  }
  return {
    bucket: url.hostname,
    ...(prefix !== '' && { prefix }),
    ...(region && { region }),
    ...(endpoint && { endpoint }),
    ...(profile && { profile }),
    ...(pathStyle !== null && { pathStyle: pathStyle === 'true' }),
  }
}

function defined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as T
}
