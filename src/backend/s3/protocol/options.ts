import { invalid } from '../../../core/errors.ts'
import { MIB } from '../../../core/limits.ts'
import {
  boolean,
  byDefault,
  bytes,
  callback,
  either,
  fields,
  integer,
  matching,
  ms,
  needed,
  oneOf,
  secret,
  text,
} from '../../../core/option-kinds.ts'
import {
  at,
  given,
  resolve,
  resolveQuery,
  withUrl,
  type Option,
  type OptionTable,
} from '../../../core/options.ts'
import { TIMER_MS_MAX } from '../../../core/time.ts'
import { decodeUrlPart } from '../../decode-url-part.ts'
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

const CREDENTIAL_OPTIONS: OptionTable<S3Credentials> = {
  accessKeyId: needed(secret()),
  secretAccessKey: needed(secret()),
  sessionToken: secret(),
  expiresAt: integer(0, Number.MAX_SAFE_INTEGER, 'ms'),
}

const ENDPOINT: Option<string> = {
  takes: 'an https:// or http:// URL without credentials, query and fragment',
  parse: (text) => text,
  check(path, text) {
    if (isEndpoint(text)) return text as string
    throw invalid(`${path} must be ${ENDPOINT.takes}`)
  },
}

export const S3_OPTIONS: OptionTable<
  S3Options & { readonly type?: 's3' },
  | 'prefix'
  | 'requestTimeoutMs'
  | 'callTimeoutMs'
  | 'retriesMax'
  | 'requestsMax'
  | 'multipartBytes'
  | 'cacheBytes'
  | 'durable'
> = {
  type: oneOf('s3'),
  url: secret(),
  bucket: matching(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$/,
    'the name of a bucket: 3 to 255 letters, digits, dots and dashes',
  ),
  // A name has at most 1,024 bytes, most of which are the key's.
  prefix: byDefault(
    'everthread',
    matching(
      /^(?!.{201})(?!(?:.*\/)?\.{1,2}(?:\/|$))(?:[\w.=-]+(?:\/[\w.=-]+)*)?$/,
      'at most 200 letters, digits, . _ = - with single slashes between',
    ),
  ),
  region: matching(/^[a-z0-9-]{1,64}$/i, '1 to 64 letters, digits and dashes'),
  endpoint: ENDPOINT,
  pathStyle: boolean(),
  credentials: either(callback<() => Promise<S3Credentials>>(), fields(CREDENTIAL_OPTIONS)),
  profile: text(),
  requestTimeoutMs: byDefault(5_000, ms(1, TIMER_MS_MAX)),
  callTimeoutMs: byDefault(30_000, ms(1, TIMER_MS_MAX)),
  retriesMax: byDefault(3, integer(0, 20)),
  requestsMax: byDefault(32, integer(1, 1_000)),
  multipartBytes: byDefault(DEFAULT_MULTIPART_BYTES, bytes(MULTIPART_BYTES_MIN, 1024 * MIB)),
  cacheBytes: byDefault(64 * MIB, bytes(0, 2 ** 40)),
  durable: byDefault(true, boolean()),
}

/** What the query of a URL may say. */
const { region, endpoint, pathStyle, profile } = S3_OPTIONS
const QUERY = { region, endpoint, pathStyle, profile }

/** Fills the defaults in and refuses what cannot work. */
export function resolveS3Options(
  options: S3Options,
  environment: NodeJS.ProcessEnv = process.env,
  path = '',
): ResolvedS3Options {
  const named: S3Options = withUrl(path, options, parseUrl)
  const merged = { ...named, ...fromEnvironment(named, environment) }
  const {
    bucket,
    prefix,
    region = 'us-east-1',
    endpoint,
    ...rest
  } = resolve(path, merged, S3_OPTIONS)
  if (bucket === undefined) throw invalid(`${at(path, 'bucket')} must be given, or a url`)
  const pathStyle = rest.pathStyle ?? (endpoint !== undefined || bucket.includes('.'))
  const { requestTimeoutMs, callTimeoutMs, retriesMax, requestsMax } = rest
  return {
    bucket,
    root: prefix === '' ? '' : `${prefix}/`,
    region,
    bucketUrl: bucketUrl(bucket, endpoint ?? `https://s3.${region}.amazonaws.com`, pathStyle),
    credentials: rest.credentials,
    profile: rest.profile,
    durable: rest.durable,
    requestTimeoutMs,
    callTimeoutMs,
    retriesMax,
    requestsMax,
    multipartBytes: rest.multipartBytes,
    cacheBytes: rest.cacheBytes,
  }
}

/** What the environment says of what was not named, each variable checked under its own name. */
function fromEnvironment(named: S3Options, environment: NodeJS.ProcessEnv): S3Options {
  const first = (option: Option<string>, ...names: readonly string[]): string | undefined => {
    const name = names.find((each) => (environment[each] ?? '') !== '')
    return name === undefined ? undefined : option.check(name, environment[name])
  }
  const { region: namedRegion, endpoint: namedEndpoint } = named
  return given({
    region: namedRegion ?? first(region, 'AWS_REGION', 'AWS_DEFAULT_REGION'),
    endpoint: namedEndpoint ?? first(endpoint, 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'),
  })
}

function bucketUrl(bucket: string, endpoint: string, pathStyle: boolean): string {
  const { protocol, host, pathname } = new URL(endpoint)
  const path = pathname.replace(/\/+$/, '')
  return pathStyle
    ? `${protocol}//${host}${path}/${bucket}`
    : `${protocol}//${bucket}.${host}${path}`
}

function isEndpoint(text: unknown): boolean {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return false
  return url.username + url.password + url.search + url.hash === ''
}

function parseUrl(text: string, path: string): object {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 's3:' || url.hostname === '') {
    throw invalid(`${path} must be s3://bucket/prefix`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(`${path} must have no credentials; use credentials or the environment`)
  }
  const prefix = decodeUrlPart(url.pathname, 'prefix').replace(/^\/+|\/+$/g, '')
  return {
    bucket: url.hostname,
    ...(prefix !== '' && { prefix }),
    ...resolveQuery(path, url.searchParams, QUERY),
  }
}
