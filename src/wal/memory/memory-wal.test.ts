import { expect, test } from 'vitest'
import { append, stampAt } from '../../testing/backend/operations.ts'
import { virtualEnv } from '../../testing/virtual-env.ts'
import { refuses } from '../../testing/wal/context.ts'
import { walConformance } from '../../testing/wal-conformance.ts'
import { MemoryWal } from './memory-wal.ts'

walConformance({
  name: 'MemoryWal',
  persistent: false,
  open: async () => {
    const env = virtualEnv()
    return { create: (limits) => new MemoryWal(env, limits) }
  },
})

test('maxEntries bounds the entries that some place lacks', async () => {
  const wal = new MemoryWal(virtualEnv(), { maxEntries: 2 })
  await wal.open()
  await wal.append([append('k', stampAt(0), 0)])
  await wal.append([append('k', stampAt(1), 1)])
  await refuses(wal.append([append('k', stampAt(2), 2)]), 'OVERLOADED')
  wal.acknowledge('primary', [1])
  wal.acknowledge('backup', [1])
  expect(await wal.append([append('k', stampAt(3), 3)])).toBe(3)
  expect(wal.stats()).toMatchObject({ durable: false, entries: 2 })
})
