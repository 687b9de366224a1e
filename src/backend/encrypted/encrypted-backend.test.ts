import { nodeEnv } from '../../core/node-env.ts'
import { ValueCipher } from '../../core/encryption/value-cipher.ts'
import { DurableMemoryBackend } from '../../testing/durable-memory-backend.ts'
import { replicaBackendConformance } from '../../testing/replica-backend-conformance.ts'
import { EncryptedBackend } from './encrypted-backend.ts'

const KEYS = [{ id: 'k1', secret: Buffer.alloc(32, 7) }]

replicaBackendConformance({
  name: 'encrypted, in memory',
  open: async () => {
    const cipher = new ValueCipher({ keys: KEYS })
    const backend = new EncryptedBackend(new DurableMemoryBackend(), cipher, nodeEnv())
    await backend.connect()
    return backend
  },
  capabilities: { propertyRuns: 100 },
})
