import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ValueCipher } from '../core/encryption/value-cipher.ts'
import { encodeJson } from '../core/json.ts'
import { nodeEnv } from '../core/node-env.ts'
import { stampFloor, type Stamp } from '../core/stamp.ts'
import { walConformance } from '../testing/wal-conformance.ts'
import { EncryptedWal } from './encrypted-wal.ts'
import { FileWal } from './file/file-wal.ts'
import { MemoryWal } from './memory/memory-wal.ts'

const KEYS = [{ id: 'k1', secret: Buffer.alloc(32, 7) }]

walConformance({
  name: 'encrypted FileWal',
  propertyRuns: 8,
  open: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'everthread-wal-'))
    return {
      create: (limits) =>
        new EncryptedWal(
          new FileWal(nodeEnv(), { directory, segmentBytes: 32_768, ...limits }),
          new ValueCipher({ keys: KEYS }),
        ),
      dispose: async () => await rm(directory, { recursive: true }),
    }
  },
})

describe('an entry that cannot be decrypted', () => {
  const stamp = (ms: number) => stampFloor(ms).replace('-0000-0000-', '-7000-8000-') as Stamp
  const operation = (key: string, ms: number) =>
    ({ kind: 'set', key, value: encodeJson('text'), stamp: stamp(ms) }) as const

  async function open() {
    const inner = new MemoryWal(nodeEnv())
    const ciphers = [KEYS, [{ id: 'k2', secret: Buffer.alloc(32, 8) }]].map(
      (keys) => new ValueCipher({ keys }),
    )
    for (const cipher of ciphers) await cipher.ready()
    const wal = new EncryptedWal(inner, ciphers[0]!)
    await wal.open('8000-000000000001')
    return { inner, wal, foreign: ciphers[1]!, own: ciphers[0]! }
  }

  test('because it was changed or moved is set aside alone, and those behind it are read', async () => {
    const { inner, wal, own } = await open()
    await inner.append([{ ...own.encrypt(operation('a', 1)), key: 'moved' }])
    await wal.append([operation('b', 2)])
    const entries = await wal.read('backup', 10)
    expect(entries.map(({ operations }) => operations)).toEqual([[operation('b', 2)]])
    expect(wal.stats().places.backup.quarantinedEntries).toBe(1)
    expect(wal.stats().places.primary.quarantinedEntries).toBe(0)
  })

  test('because its key is not there stays, and those behind it are read', async () => {
    const { inner, wal, foreign } = await open()
    for (let ms = 1; ms <= 5; ms++) await inner.append([foreign.encrypt(operation('a', ms))])
    await expect(wal.read('backup', 2)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await wal.append([operation('b', 6)])
    const entries = await wal.read('backup', 2)
    expect(entries.map(({ operations }) => operations)).toEqual([[operation('b', 6)]])
    expect(wal.stats().places.backup).toMatchObject({ pendingEntries: 6, quarantinedEntries: 0 })
  })

  test('because its key is not there is read past as far as memory allows', async () => {
    const { inner, wal, foreign } = await open()
    const value = encodeJson('x'.repeat(1_000_000))
    const locked = foreign.encrypt({ ...operation('a', 1), value })
    const limits: number[] = []
    inner.read = async (_place, limit) => {
      limits.push(limit)
      return Array.from({ length: limit }, (_, lsn) => ({ lsn, operations: [locked] }))
    }
    await expect(wal.read('backup', 10)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(limits).toEqual([10, 20, 40, 80])
  })
})
