import { expect, test } from 'vitest'
import { VALUE_BYTES_MAX } from '../limits.ts'
import { digestInEnvelope, formatEnvelope, parseEnvelope } from './envelope.ts'

const ENVELOPE = { keyId: 'k-1', check: '0123abcd', digest: 0xabc, bytes: Buffer.alloc(28, 7) }

test('an envelope comes back as it was, also the longest', () => {
  for (const bytes of [ENVELOPE.bytes, Buffer.alloc(VALUE_BYTES_MAX + 28, 0xfb)]) {
    const text = formatEnvelope({ ...ENVELOPE, bytes })
    const parsed = parseEnvelope(text)
    expect(parsed?.bytes.equals(bytes)).toBe(true)
    expect(parsed).toMatchObject({ keyId: 'k-1', check: '0123abcd', digest: 0xabc })
    expect(digestInEnvelope(text)).toBe(0xabc)
  }
})

test.each([
  ['another version', formatEnvelope(ENVELOPE).replace('et1', 'et2')],
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
