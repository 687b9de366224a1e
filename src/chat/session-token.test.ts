import { expect, test } from 'vitest'
import {
  CONVERSATION_ID_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
  TENANT_BYTES_MAX,
} from '../core/limits.ts'
import type { Stamp } from '../core/stamp.ts'
import { SessionTokens } from './session-token.ts'

test('a token of the longest names, each character an escape, is taken back', () => {
  const tokens = new SessionTokens('sixteen bytes or more', 1_000)
  const session = {
    tenant: '\u0001'.repeat(TENANT_BYTES_MAX),
    writer: '8abc-0123456789ab',
    stamp: '019ac8a0-0b12-7000-8abc-0123456789ab' as Stamp,
    logged: [
      '\u0001'.repeat(CONVERSATION_ID_BYTES_MAX),
      '\u0001'.repeat(MESSAGE_ID_BYTES_MAX),
    ] as const,
  }
  const token = tokens.sign(session)
  expect(tokens.read(token, session.tenant, Number.MAX_SAFE_INTEGER / 2)).toEqual(session)
})
