import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { set } from '../../testing/backend/operations.ts'
import type { Stamp } from '../../core/stamp.ts'
import { decodeGroup, encodeGroup, payloadBytesMax } from './codec.ts'
import { FRAME_HEADER_BYTES, frameBytes, readFrame, sealFrame } from './frame.ts'
import { encodeHeader, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC } from './segment-header.ts'

const STAMP = '019b76da-a800-7000-8000-000000000001' as Stamp
const SALT = 0x01020304

function segment(): Buffer {
  const header = encodeHeader({
    magic: SEGMENT_MAGIC,
    salt: SALT,
    firstLsn: 1,
    generation: 1,
    writer: '8000-000000000001',
  })
  const operations = [set('k', STAMP, 1)]
  const payload = Buffer.alloc(payloadBytesMax(operations, ['k']))
  const bytes = encodeGroup(payload, 0, operations, ['k'])
  const frame = Buffer.alloc(frameBytes(bytes))
  payload.copy(frame, FRAME_HEADER_BYTES, 0, bytes)
  sealFrame(frame, 0, FRAME_HEADER_BYTES + bytes, { lsn: 1, indexInGroup: 0, lacking: 3 }, SALT)
  return Buffer.concat([header, frame])
}

function hexDump(bytes: Buffer): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.byteLength; at += 16) {
    const row = bytes.subarray(at, at + 16).toString('hex')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${row.match(/../g)!.join(' ')}`)
  }
  return lines.join('\n')
}

test('the example of docs/wal-format.md is what the code writes', () => {
  const page = readFileSync(new URL('../../../docs/wal-format.md', import.meta.url), 'utf8')
  const example = /```hex\n([^`]+)\n```/.exec(page)?.[1]
  expect(example).toBe(hexDump(segment()))
})

test('the example can be read', () => {
  const frame = readFrame(segment().subarray(SEGMENT_HEADER_BYTES), 0, SALT)!
  expect(frame).toMatchObject({ lsn: 1, groupFirst: 1, lacking: 3 })
  const bytes = segment().subarray(SEGMENT_HEADER_BYTES)
  expect(decodeGroup(bytes, frame.payloadStart)).toEqual([set('k', STAMP, 1)])
})

test('a frame under another salt is none', () => {
  expect(readFrame(segment().subarray(SEGMENT_HEADER_BYTES), 0, SALT + 1)).toBeUndefined()
})
