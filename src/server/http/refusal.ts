import { isStorageError, type Effect, type StorageErrorCode } from '../../core/errors.ts'

/** A request that is answered with an error: its status, and what may be said of it. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string | undefined
  readonly effect: Effect
  /** The field that is meant. */
  readonly param: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    message: string,
    {
      code,
      effect = 'none',
      param,
      headers = {},
    }: {
      readonly code?: string
      readonly effect?: Effect
      readonly param?: string
      readonly headers?: Readonly<Record<string, string>>
    } = {},
  ) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.code = code
    this.effect = effect
    this.param = param
    this.headers = headers
  }
}

/** Each code of the store, so that a new one cannot be forgotten. */
const STATUS: Readonly<Record<StorageErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  NOT_FOUND: 404,
  CONFLICT: 409,
  REJECTED: 422,
  CORRUPT: 500,
  UNSUPPORTED: 501,
  OVERLOADED: 503,
  CLOSED: 503,
  CONNECTION: 503,
  TIMEOUT: 503,
  UNAVAILABLE: 503,
}

/** Seconds after which a call that the store could not take is worth repeating. */
const RETRY_AFTER_SECONDS = 1

/**
 * What an error is to the one who asked. What the store did not say of itself is not shown: it may name what is
 * nobody's business.
 */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!isStorageError(error)) return new Refusal(500, 'the request failed', { effect: 'unknown' })
  const { code, effect } = error
  const status = STATUS[code] ?? 500
  const isOurs = status < 500 || code === 'UNSUPPORTED'
  const message = isOurs ? error.message : UNAVAILABLE[effect]
  // The client of OpenAI repeats a conflict, which stays one.
  const headers: Record<string, string> = {}
  if (status === 503) headers['retry-after'] = String(RETRY_AFTER_SECONDS)
  else headers['x-should-retry'] = 'false'
  return new Refusal(status, message, { code, effect, headers })
}

const UNAVAILABLE: Readonly<Record<Effect, string>> = {
  none: 'the store cannot take the call now; it had no effect',
  unknown: 'the store did not answer; the call may have had its effect',
}

/** RFC 9457, with the code and effect of the store. */
export function problemOf({ status, message, code, effect, param }: Refusal): object {
  return {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail: message,
    ...(code !== undefined && { code }),
    effect,
    ...(param !== undefined && { param }),
  }
}

/** The shape that clients of OpenAI read: all four fields are always there. */
export function openAiErrorOf({ status, message, code, param }: Refusal): object {
  const type = OPENAI_TYPES[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
  return { error: { message, type, param: param ?? null, code: code?.toLowerCase() ?? null } }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

const OPENAI_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  409: 'conflict_error',
  429: 'rate_limit_error',
}
