import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnv } from '../../core/node-env.ts'
import { SimulatedDisk } from '../../testing/simulated-disk.ts'
import { virtualEnv } from '../../testing/virtual-env.ts'
import { walConformance } from '../../testing/wal-conformance.ts'
import { FileWal } from './file-wal.ts'

walConformance({
  name: 'FileWal on a real disk',
  propertyRuns: 8,
  open: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'everthread-wal-'))
    return {
      create: (limits) => new FileWal(nodeEnv(), { directory, segmentBytes: 16_384, ...limits }),
      dispose: async () => await rm(directory, { recursive: true }),
    }
  },
})

walConformance({
  name: 'FileWal on a simulated disk, without a cache',
  open: async () => {
    const env = virtualEnv({ disk: new SimulatedDisk() })
    return {
      create: (limits) =>
        new FileWal(env, { directory: '/wal', segmentBytes: 4096, cacheBytes: 0, ...limits }),
    }
  },
})
