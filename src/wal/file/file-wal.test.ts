import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeEnv } from '../../core/node-env.ts'
import { encodeJson } from '../../core/json.ts'
import { stampFloor, type Stamp } from '../../core/stamp.ts'
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

test('a stamp far ahead of the clock raises no ceiling, so that no later start is dragged along', async () => {
  const env = virtualEnv({ disk: new SimulatedDisk() })
  const open = async (writer: string) => {
    const wal = new FileWal(env, { directory: '/wal' })
    return { wal, opened: await env.drive(wal.open(writer)) }
  }
  const { wal } = await open('8000-000000000001')
  for (const aheadMs of [1_000, 400 * 86_400_000]) {
    const stamp = stampFloor(env.now() + aheadMs).replace('-0000-0000-', '-7000-8000-') as Stamp
    const operation = { kind: 'set', key: `k${aheadMs}`, value: encodeJson(1), stamp } as const
    await env.drive(wal.append([operation]))
  }
  await env.drive(wal.close())
  const { wal: again, opened } = await open('8000-000000000002')
  expect(opened.ceilingMs - env.now()).toBeGreaterThan(0)
  expect(opened.ceilingMs - env.now()).toBeLessThan(300_000)
  await env.drive(again.close())
})
