import { expect, test } from 'vitest'
import { VALUE_BYTES_MAX } from '../limits.ts'
import { digestInEnvelope, formatEnvelope, parseEnvelope, renewedEnvelope } from './envelope.ts'

const ENVELOPE = { keyId: 'k-1', check: '0123abcd', bytes: Buffer.alloc(28, 7) }

test('an envelope comes back as it was, also the longest', () => {
  for (const bytes of [ENVELOPE.bytes, Buffer.alloc(VALUE_BYTES_MAX + 28, 0xfb)]) {
    const text = formatEnvelope({ ...ENVELOPE, bytes })
    const parsed = parseEnvelope(text)
    expect(parsed?.bytes.equals(bytes)).toBe(true)
    expect(parsed).toMatchObject({ keyId: 'k-1', check: '0123abcd' })
    expect(digestInEnvelope(text)).toBeUndefined()
    expect(renewedEnvelope(text)).toBe(text)
  }
})

test.each([
  ['another version', formatEnvelope(ENVELOPE).replace('et2', 'et3')],
  ['JSON text', `"${formatEnvelope(ENVELOPE)}"`],
  ['a long key id', formatEnvelope({ ...ENVELOPE, keyId: 'k'.repeat(33) })],
  ['too few bytes', formatEnvelope({ ...ENVELOPE, bytes: Buffer.alloc(27) })],
  ['an end of half a byte', formatEnvelope(ENVELOPE).slice(0, -1)],
  ['padding', formatEnvelope(ENVELOPE).replace(/$/, '=')],
  ['another alphabet', formatEnvelope(ENVELOPE).replace(/.....$/, '+/+/+')],
  ['more behind it', `${formatEnvelope(ENVELOPE)} `],
])('%s is a value like any other', (_what, text) => {
  expect(parseEnvelope(text)).toBeUndefined()
})

test('one of the earlier release is read, and written without its digest', () => {
  const today = formatEnvelope(ENVELOPE)
  const earlier = today.replace('et2.k-1.0123abcd.', 'et1.k-1.0123abcd.000000000abc.')
  expect(parseEnvelope(earlier)).toEqual(parseEnvelope(today))
  expect(digestInEnvelope(earlier)).toBe(0xabc)
  expect(renewedEnvelope(earlier)).toBe(today)
})
