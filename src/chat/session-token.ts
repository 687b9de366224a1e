/*
 * A session token says what its bearer has written and read. Any process that shares the secret can
 * make sure that a read is not older than that.
 *
 *   token    base64url(body) "." base64url(HMAC-SHA-256(secret, body))
 *   body     JSON { v: 1, t: tenant, w: writer, s: greatest stamp written or read, o?: [conversation,
 *            message id], the last message if only a log had it when it was acknowledged }
 *
 * It is signed because its stamp moves clocks: a forged one could push every later message into the
 * future. For the same reason a stamp far ahead of our own clock is refused.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { invalid } from '../core/errors.ts'
import {
  CONVERSATION_ID_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
  TENANT_BYTES_MAX,
} from '../core/limits.ts'
import type { Option } from '../core/options.ts'
import { isStamp, stampMs, type Stamp } from '../core/stamp.ts'

export interface Session {
  readonly tenant: string
  /** The incarnation that acknowledged the last write, or answered the last read. */
  readonly writer: string
  /** The greatest stamp that the bearer has written or read. */
  readonly stamp: Stamp
  /** The last message, if no database had it yet when it was acknowledged. */
  readonly logged?: readonly [conversationId: string, id: string]
}

interface Fields {
  readonly t: string
  readonly w: string
  readonly s: string
  readonly o?: readonly [string, string]
}

/** Longest body: each byte of a name may be an escape of six, and the other fields are short. */
const BODY_BYTES_MAX =
  6 * (TENANT_BYTES_MAX + CONVERSATION_ID_BYTES_MAX + MESSAGE_ID_BYTES_MAX) + 256
/** Longest token that is looked at: none that was signed is longer. */
const TOKEN_LENGTH_MAX = Math.ceil((BODY_BYTES_MAX * 4) / 3) + 64
/** Shortest secret: 128 bits, if its bytes are random. */
const SECRET_BYTES_MIN = 16

/** Messages never show it. */
export const SESSION_SECRET: Option<string | Uint8Array> = {
  takes: `text or bytes, at least ${SECRET_BYTES_MIN} bytes`,
  check(path, secret) {
    if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
      throw invalid(`${path} must be text or bytes`)
    }
    const { byteLength } = Buffer.from(secret)
    if (byteLength >= SECRET_BYTES_MIN) return secret
    throw invalid(`${path} must be at least ${SECRET_BYTES_MIN} bytes, got ${byteLength}`)
  },
}

/** Signs and checks session tokens. All processes of one application share the secret. */
export class SessionTokens {
  readonly #secret: Buffer
  readonly #maxAheadMs: number

  /** @throws StorageError `INVALID_ARGUMENT` for a secret of less than 16 bytes. */
  constructor(secret: string | Uint8Array, maxAheadMs: number) {
    this.#secret = Buffer.from(SESSION_SECRET.check('sessionSecret', secret))
    this.#maxAheadMs = maxAheadMs
  }

  sign({ tenant, writer, stamp, logged }: Session): string {
    const fields = {
      v: 1,
      t: tenant,
      w: writer,
      s: stamp,
      ...(logged !== undefined && { o: logged }),
    }
    const body = Buffer.from(JSON.stringify(fields))
    return `${body.toString('base64url')}.${this.#mac(body).toString('base64url')}`
  }

  /** @throws StorageError `INVALID_ARGUMENT` for what was not signed for this tenant. */
  read(token: string, tenant: string, nowMs: number): Session {
    const session = this.#open(token)
    if (session?.tenant !== tenant) throw invalid('session must be a token of this history')
    if (stampMs(session.stamp) > nowMs + this.#maxAheadMs) {
      throw invalid(`session must not be more than ${this.#maxAheadMs} ms ahead of the clock`)
    }
    return session
  }

  #open(token: string): Session | undefined {
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_MAX) return undefined
    const [text, mac, ...rest] = token.split('.')
    if (text === undefined || mac === undefined || rest.length > 0) return undefined
    const body = Buffer.from(text, 'base64url')
    const given = Buffer.from(mac, 'base64url')
    const expected = this.#mac(body)
    if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
      return undefined
    }
    // Signed by us: it has the form that `sign` gave it.
    const { t, w, s, o } = JSON.parse(body.toString()) as Fields
    if (!isStamp(s)) return undefined
    return { tenant: t, writer: w, stamp: s, ...(o !== undefined && { logged: o }) }
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(body).digest()
  }
}
