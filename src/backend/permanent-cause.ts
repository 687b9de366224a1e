/* Failures to connect that no waiting mends, as far as engines have them in common. */
import { messageOf } from '../core/errors.ts'

/** Causes that are looked at: an error that is its own cause must not hold anybody up. */
const CAUSES_MAX = 8

/**
 * One side speaks TLS and the other does not, or the certificate is not one that this side accepts. One
 * that has expired is left out: whoever runs the server renews it, and nothing here need be changed.
 */
const TLS_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
])
const TLS_ALERT =
  /^ERR_SSL_\w+_ALERT_(?:HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNKNOWN_CA|CERTIFICATE_REQUIRED)$/

/** A path that is of another kind than is needed, or that this process may not use. */
const PATH_CODES: ReadonlySet<string> = new Set([
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOTDIR',
  'EPERM',
  'EROFS',
])

/** True when the two sides do not agree on TLS. */
export function isTlsMismatch(error: unknown): boolean {
  return hasCause(error, ({ code }) => TLS_CODES.has(code) || TLS_ALERT.test(code))
}

/** True when no file or folder can be made or opened at a path, whatever happens elsewhere. */
export function isUnusablePath(error: unknown): boolean {
  return hasCause(error, ({ code }) => PATH_CODES.has(code))
}

/** True when the test is true of the error or of what caused it, at any depth. */
export function hasCause(
  error: unknown,
  test: (cause: { readonly code: string; readonly message: string }) => boolean,
): boolean {
  let cause = error
  for (let i = 0; i < CAUSES_MAX && cause instanceof Error; i++, cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown }
    if (test({ code: String(code), message: messageOf(cause) })) return true
    if (cause instanceof AggregateError && cause.errors.some((one) => hasCause(one, test))) {
      return true
    }
  }
  return false
}
