import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ValueCipher } from '../core/encryption/value-cipher.ts'
import { nodeEnv } from '../core/node-env.ts'
import { walConformance } from '../testing/wal-conformance.ts'
import { EncryptedWal } from './encrypted-wal.ts'
import { FileWal } from './file/file-wal.ts'

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
