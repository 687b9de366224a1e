import { createHash, timingSafeEqual } from 'node:crypto'
import { invalid } from '../../core/errors.ts'

/** What a credential allows. `operate` is about the store, not about conversations. */
export type Scope = 'read' | 'write' | 'operate'

export const SCOPES: readonly Scope[] = ['read', 'write', 'operate']

/** Who asks: what tenant's conversations it is about, and what is allowed. */
export interface Caller {
  /** Default: the tenant of the history. */
  readonly tenant?: string
  /** Default: `read` and `write`. */
  readonly scopes?: readonly Scope[]
  /** Stands in logs. No secret. */
  readonly name?: string
}

/** A key that callers send as `Authorization: Bearer KEY`. Only its hash is kept. */
export interface ApiKey extends Caller {
  /** SHA-256 of the key, 64 hexadecimal digits: `printf %s "$KEY" | sha256sum`. */
  readonly sha256: string
}

/** Longest key, in characters. */
const KEY_LENGTH_MAX = 512
const DIGEST = /^[0-9a-f]{64}$/i
const BEARER = /^Bearer +(\S+) *$/i

/** Undefined: the request has no key, or none that is known. */
export type Authenticate = (request: Request) => Caller | undefined | Promise<Caller | undefined>

/**
 * Compares with every key in constant time, so that the time tells neither how much of one was right nor which
 * one was meant.
 *
 * @throws StorageError `INVALID_ARGUMENT` for what is no key's hash.
 */
export function byKeys(keys: readonly ApiKey[]): Authenticate {
  const known = keys.map(({ sha256, ...caller }, i) => {
    if (typeof sha256 !== 'string' || !DIGEST.test(sha256)) {
      throw invalid(`keys[${i}].sha256 must be 64 hexadecimal digits, the SHA-256 of the key`)
    }
    checkScopes(`keys[${i}].scopes`, caller.scopes)
    return { digest: Buffer.from(sha256, 'hex'), caller }
  })
  return (request) => {
    const key = BEARER.exec(request.headers.get('authorization') ?? '')?.[1]
    if (key === undefined || key.length > KEY_LENGTH_MAX) return undefined
    const digest = createHash('sha256').update(key).digest()
    let found: Caller | undefined
    for (const one of known) if (timingSafeEqual(one.digest, digest)) found = one.caller
    return found
  }
}

export function checkScopes(path: string, scopes: unknown): void {
  if (scopes === undefined) return
  const isKnown = (scope: unknown): boolean => SCOPES.includes(scope as Scope)
  if (!Array.isArray(scopes) || !scopes.every(isKnown)) {
    throw invalid(`${path} must be a list of ${SCOPES.join(', ')}`)
  }
}

export function mayDo({ scopes = ['read', 'write'] }: Caller, scope: Scope): boolean {
  return scopes.includes(scope)
}
