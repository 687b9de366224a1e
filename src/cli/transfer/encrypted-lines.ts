import { parseEnvelope } from '../../core/encryption/envelope.ts'
import type { ValueCipher } from '../../core/encryption/value-cipher.ts'
import { messageOf } from '../../core/errors.ts'
import type { JsonText } from '../../core/json.ts'
import type { SetOperation } from '../../core/operation.ts'
import { STAMP_MIN } from '../../core/stamp.ts'
import type { Line } from '../jsonl/read-lines.ts'
import type { ExportSink } from './export-sink.ts'

/** What a line of an export is bound to: it is good in any export, and nowhere else. */
function lineOf(text: string): SetOperation {
  return { kind: 'set', key: 'everthread export', stamp: STAMP_MIN, value: text as JsonText }
}

/** Each line becomes an encrypted one: still one conversation a line, and each a JSON string. */
export function encryptingSink(sink: ExportSink, cipher: ValueCipher): ExportSink {
  let rest = ''
  return {
    async write(text) {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      const encrypted = lines.map((line) => `"${cipher.encrypt(lineOf(line)).value}"\n`)
      if (encrypted.length > 0) await sink.write(encrypted.join(''))
    },
    finish: () => sink.finish(),
    abandon: () => sink.abandon(),
  }
}

/** What an encrypted line holds: a string without escapes, where a plain one has an object. */
function envelopeOf(text: string): string | undefined {
  if (!text.startsWith('"') || !text.endsWith('"')) return undefined
  const envelope = text.slice(1, -1)
  return parseEnvelope(envelope) === undefined ? undefined : envelope
}

/** Plain lines as they are; encrypted ones decrypted, or with the problem that they have. */
export async function* decryptedLines(
  lines: AsyncIterable<Line>,
  cipher: ValueCipher | undefined,
): AsyncGenerator<Line> {
  for await (const line of lines) {
    const envelope = 'text' in line ? envelopeOf(line.text) : undefined
    if (!('text' in line) || envelope === undefined) {
      yield line
      continue
    }
    const { text: _text, ...place } = line
    if (cipher === undefined) {
      yield { ...place, problem: 'is encrypted: EVERTHREAD_ENCRYPTION_KEYS must have its key' }
      continue
    }
    try {
      yield { ...place, text: cipher.decrypt(lineOf(envelope)).value }
    } catch (error) {
      yield { ...place, problem: messageOf(error) }
    }
  }
}
