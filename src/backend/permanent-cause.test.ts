import { expect, test } from 'vitest'
import { StorageError } from '../core/errors.ts'
import { isTlsMismatch, isUnusablePath } from './permanent-cause.ts'

function failed(code: string): Error {
  return Object.assign(new Error('failed'), { code })
}

test.each([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', true],
  ['ERR_TLS_CERT_ALTNAME_INVALID', true],
  ['ERR_SSL_WRONG_VERSION_NUMBER', true],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', true],
  // The server's certificate is renewed, and nothing here has changed.
  ['CERT_HAS_EXPIRED', false],
  ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', false],
  ['ECONNRESET', false],
])('%s: TLS does not fit for good: %s', (code, isForGood) => {
  const cause = new AggregateError([failed('ECONNREFUSED'), failed(code)])
  expect(isTlsMismatch(new StorageError('UNAVAILABLE', 'x', { cause }))).toBe(isForGood)
})

test.each([
  ['EACCES', true],
  ['EROFS', true],
  ['ENOTDIR', true],
  ['EISDIR', true],
  // There is room again one day, and the volume is mounted.
  ['ENOSPC', false],
  ['ENOENT', false],
  ['EMFILE', false],
])('%s: the path cannot be used for good: %s', (code, isForGood) => {
  expect(isUnusablePath(failed(code))).toBe(isForGood)
})

test('an error that is its own cause holds nobody up', () => {
  const error = new Error('round')
  error.cause = error
  expect(isTlsMismatch(error)).toBe(false)
})
