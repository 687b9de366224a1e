import { messageOf, StorageError, type Effect } from '../../../core/errors.ts'
import { isTlsMismatch } from '../../permanent-cause.ts'

/** An answer of the server that is not a success. */
export interface Refusal {
  readonly status: number
  /** `NoSuchBucket`, `SlowDown`, … */
  readonly code: string
  readonly message: string
}

/** Worth another try: the same request may succeed. */
export function isPassing({ status, code }: Refusal): boolean {
  if (status >= 500 || status === 429) return true
  return (
    code === 'RequestTimeout' ||
    code === 'ConditionalRequestConflict' ||
    code === 'OperationAborted'
  )
}

/** The credentials have ended: worth another try with new ones. */
export function isExpired({ code }: Refusal): boolean {
  return code === 'ExpiredToken' || code === 'InvalidToken' || code === 'TokenRefreshRequired'
}

/** What the server answers until the credentials, their rights or the bucket's name are others. */
const REFUSED_FOR_GOOD: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'AuthorizationHeaderMalformed',
  'InvalidAccessKeyId',
  'InvalidBucketName',
  'NoSuchBucket',
  'PermanentRedirect',
  'SignatureDoesNotMatch',
])

/** True when the server will refuse these settings for as long as neither side is set up anew. */
export function isRefusedForGood(error: unknown): boolean {
  if (isTlsMismatch(error)) return true
  const refusal = error instanceof Error ? (error.cause as Partial<Refusal> | undefined) : undefined
  return refusal?.status !== undefined && REFUSED_FOR_GOOD.has(refusal.code ?? '')
}

/** What the server says it will never store. */
const REJECTIONS = ['EntityTooLarge', 'KeyTooLongError', 'MetadataTooLarge', 'InvalidObjectName']

/** The error of a refused request; `effect` is that of the tries before. */
export function refused(what: string, refusal: Refusal, effect: Effect): StorageError {
  const { status, code, message } = refusal
  const text = `S3: ${what}: ${status} ${code}${message === '' ? '' : `: ${message}`}`
  if (REJECTIONS.includes(code)) return new StorageError('REJECTED', text, { effect })
  if (code === 'RequestTimeTooSkewed') {
    return new StorageError('UNAVAILABLE', `${text} (the clock of this machine is wrong)`, {
      effect,
    })
  }
  return new StorageError('UNAVAILABLE', text, { effect, cause: refusal })
}

/** The error of a request that got no answer. */
export function unanswered(what: string, cause: unknown, effect: Effect): StorageError {
  // `fetch failed` says nothing: what failed is in its cause.
  const reason = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause
  return new StorageError('UNAVAILABLE', `S3: ${what}: ${messageOf(reason)}`, { effect, cause })
}

/** True when nothing was sent: the server could not even be reached. */
export function isNotSent(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const codes = [cause, ...(cause instanceof AggregateError ? cause.errors : [])].map(
    (one) => (one as NodeJS.ErrnoException | undefined)?.code,
  )
  return codes.some(
    (code) => code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN',
  )
}
