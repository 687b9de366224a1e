// Goal: after a write or sync failed nothing is acknowledged from that file again; what was
//   acknowledged stays; the log comes back by itself.
// Method: single operations of a simulated disk fail; a failed sync drops what it should have
//   written and the next one reports success, as Linux does.
import { expect, test } from 'vitest'
import type { Disk, DiskFile } from '../../src/core/disk.ts'
import { noFailpoints } from '../../src/core/failpoint.ts'
import type { Operation } from '../../src/core/operation.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { readOperations, refuses } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { FileWalOptions } from '../../src/wal/file/options.ts'

const operation = (i: number): Operation => append('key', stampAt(i), `value ${i}`)
const SEGMENT = /\.wal$/

interface Setup {
  readonly disk: SimulatedDisk
  readonly env: VirtualEnv
  readonly wal: FileWal
}

let pids = 0

async function opened(
  disk = new SimulatedDisk(),
  options: Partial<FileWalOptions> = {},
  failpoints = noFailpoints,
): Promise<Setup> {
  const pid = ++pids
  const env = virtualEnv({
    disk: disk.attach(),
    seed: pid,
    failpoints,
    process: {
      self: { bootId: 'boot', pidNamespace: '1', pid, startTime: '1' },
      state: (other) => (other.pid === pid ? 'alive' : 'dead'),
    },
  })
  const wal = new FileWal(env, { directory: '/wal', segmentBytes: 4096, cacheBytes: 0, ...options })
  await wal.open(`writer-${pid}`)
  return { disk, env, wal }
}

function segments(disk: SimulatedDisk): readonly string[] {
  return disk.paths().filter((path) => SEGMENT.test(path))
}

/** What a machine finds that lost power now, in the worst case: nothing unsynced was kept. */
async function afterPowerCut(disk: SimulatedDisk): Promise<readonly Operation[]> {
  disk.crash(() => 0.999)
  disk.heal()
  const { wal } = await opened(disk)
  const operations = await readOperations(wal, 'primary')
  await wal.close()
  return operations
}

test('after a failed sync the group is synced in a new segment before it is acknowledged', async () => {
  const { disk, wal } = await opened()
  await wal.append([operation(0)])
  const [first] = segments(disk)
  disk.fail('sync', { path: SEGMENT })
  expect(await wal.append([operation(1)])).toBe(2)
  const failed = disk.bytes(first!)
  for (let i = 2; i < 6; i++) expect(await wal.append([operation(i)])).toBe(i + 1)
  expect(segments(disk)).toHaveLength(2)
  expect(disk.bytes(first!).equals(failed), 'the failed segment is not written again').toBe(true)
  expect(wal.stats().state).toBe('open')
  // A power cut in which the platter lost what the failed sync should have written.
  disk.crash(() => 0)
  disk.heal()
  const again = await opened(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([0, 1, 2, 3, 4, 5].map(operation))
})

test('a failed write is followed by a new segment as well', async () => {
  const { disk, wal } = await opened()
  await wal.append([operation(0)])
  disk.fail('write', { path: SEGMENT })
  expect(await Promise.all([wal.append([operation(1)]), wal.append([operation(2)])])).toEqual([
    2, 3,
  ])
  expect(await afterPowerCut(disk)).toEqual([0, 1, 2].map(operation))
})

test('when the new segment fails too the group is unknown, the rest refused, reads go on and the log recovers', async () => {
  const { disk, env, wal } = await opened()
  await wal.append([operation(0)])
  disk.fail('sync', { path: SEGMENT, times: 100 })
  disk.fail('sync', { path: /spare/, times: 100 })
  await refuses(wal.append([operation(1)]), 'UNAVAILABLE', 'unknown')
  expect(wal.stats().state).toBe('failed')
  expect(wal.stats().reasons.join()).toContain('takes no appends')
  await refuses(wal.append([operation(2)]), 'UNAVAILABLE', 'none')
  expect(await readOperations(wal, 'primary')).toEqual([operation(0)])
  expect(wal.hasPending('primary', 'key')).toBe(true)
  await env.advance(20_000)
  expect(wal.stats().state).toBe('failed')

  disk.heal()
  await env.advance(20_000)
  expect(wal.stats().state).toBe('open')
  expect(await wal.append([operation(3)])).toBe(2)
  expect(await readOperations(wal, 'primary')).toEqual([operation(0), operation(3)])
  await wal.close()
  const again = await opened(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([operation(0), operation(3)])
})

test('what waited behind a failed group was never written: it is refused without effect', async () => {
  const { disk, wal } = await opened()
  disk.fail('write', { path: SEGMENT })
  disk.fail('create', { code: 'ENOSPC', times: 100 })
  disk.fail('rename', { code: 'ENOSPC', times: 100 })
  const large = append('key', stampAt(0), 'x'.repeat(2_000_000))
  await Promise.all([
    refuses(wal.append([large]), 'UNAVAILABLE', 'none'),
    refuses(wal.append([operation(1)]), 'UNAVAILABLE', 'none'),
  ])
  expect(await afterPowerCut(disk)).toEqual([])
})

test('a group that was written and then not confirmed gives up its segment: no LSN is read twice', async () => {
  const { disk, env, wal } = await opened()
  await wal.append([operation(0)])
  disk.fail('exists', { code: 'EACCES' })
  await refuses(wal.append([operation(1)]), 'UNAVAILABLE', 'unknown')
  disk.heal()
  await env.advance(20_000)
  for (const i of [2, 3, 4]) expect(await wal.append([operation(i)])).toBe(i)
  expect(await afterPowerCut(disk)).toEqual([0, 2, 3, 4].map(operation))
})

test('a full disk shows when a segment is started: refused without effect, and taken again with room', async () => {
  const { disk, env, wal } = await opened()
  await env.settle()
  disk.capacity = disk.paths().reduce((sum, path) => sum + disk.bytes(path).byteLength, 0)
  let taken = 0
  const fill = async (): Promise<void> => {
    for (; taken < 1000; taken++) await wal.append([operation(taken)])
  }
  await refuses(fill(), 'UNAVAILABLE', 'none')
  expect(taken).toBeGreaterThan(10)
  expect(await readOperations(wal, 'backup')).toHaveLength(taken)
  disk.capacity = Infinity
  await env.advance(10_000)
  expect(await wal.append([operation(2000)])).toBe(taken + 1)
  expect(await afterPowerCut(disk)).toHaveLength(taken + 1)
})

test('a failed attempt to start a segment leaves no file behind for ever', async () => {
  const { disk, env, wal } = await opened()
  await wal.append([operation(0)])
  disk.fail('sync', { path: SEGMENT })
  disk.fail('sync-directory', { times: 30 })
  await refuses(wal.append([operation(1)]), 'UNAVAILABLE', 'unknown')
  for (let i = 0; i < 40; i++) await env.advance(5_000)
  expect(wal.stats().state).toBe('open')
  expect(await wal.append([operation(2)])).toBe(2)
  await env.advance(10_000)
  expect(
    disk.paths().filter((path) => SEGMENT.test(path) || path.includes('spare')).length,
  ).toBeLessThan(5)
  expect(await afterPowerCut(disk)).toEqual([operation(0), operation(2)])
})

test('stamps above the saved ceiling wait for it, and are refused without effect when it fails', async () => {
  const { disk, env, wal } = await opened()
  const ms = Date.UTC(2026, 0, 1) - Date.UTC(2024, 0, 1)
  await wal.append([append('key', stampAt(ms + 1_000), 'below')])
  disk.fail('rename', { path: /meta/, code: 'EIO', times: 1000 })
  const above = append('key', stampAt(ms + 100_000), 'above')
  await refuses(wal.append([above]), 'UNAVAILABLE', 'none')
  disk.heal()
  await env.advance(10_000)
  await wal.append([above])
  disk.crash(() => 0)
  const again = virtualEnv({ disk: disk.attach() })
  const { ceilingMs } = await new FileWal(again, { directory: '/wal' }).open('later')
  expect(ceilingMs).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1) + 100_000)
})

test('a failed dead letter is not counted, and the next one is kept', async () => {
  const { disk, wal } = await opened()
  for (let i = 0; i < 3; i++) await wal.append([operation(i)])
  await wal.quarantine('backup', 1, 'kept')
  disk.fail('sync', { path: /dead-letters/, times: 2 })
  await refuses(wal.quarantine('backup', 2, 'lost'), 'UNAVAILABLE', 'unknown')
  expect(wal.stats().places.backup.quarantinedEntries).toBe(1)
  disk.heal()
  await wal.quarantine('backup', 3, 'kept too')
  disk.crash(() => 0)
  const again = await opened(disk)
  expect(await readOperations(again.wal, 'backup')).toEqual([operation(1)])
  expect(await again.wal.pending('backup', 'key')).toEqual([0, 1, 2].map(operation))
})

test('opening on a full disk rejects without effect and can be tried again', async () => {
  const { disk, wal } = await opened()
  await wal.append([operation(0)])
  disk.kill()
  disk.fail('create', { code: 'ENOSPC', times: 1000 })
  await refuses(opened(disk), 'UNAVAILABLE', 'none')
  disk.heal()
  const again = await opened(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([operation(0)])
})

test('a directory that a dead process made counts only once it is synced', async () => {
  const disk = new SimulatedDisk()
  await disk.makeDirectory('/wal')
  const { wal } = await opened(disk)
  await wal.append([operation(0)])
  expect(await afterPowerCut(disk)).toEqual([operation(0)])
})

test('segments go once both places have their entries, never before', async () => {
  const { disk, env, wal } = await opened()
  const lsns: number[] = []
  for (let i = 0; i < 200; i++) lsns.push(await wal.append([operation(i)]))
  const before = segments(disk).length
  expect(before).toBeGreaterThan(4)
  wal.acknowledge('primary', lsns)
  await env.advance(60_000)
  expect(segments(disk)).toHaveLength(before)
  wal.acknowledge('backup', lsns.slice(0, 100))
  await env.advance(60_000)
  expect(segments(disk).length).toBeLessThan(before)
  expect(await readOperations(wal, 'backup')).toEqual(
    Array.from({ length: 100 }, (_, i) => operation(i + 100)),
  )
  wal.acknowledge('backup', lsns)
  await env.advance(60_000)
  expect(segments(disk)).toHaveLength(1)
})

test('what is acknowledged while the meta file is being saved does not go with it', async () => {
  const lsns: number[] = []
  let during = (): void => {}
  const failpoints = {
    hit: (name: string) => (name === 'wal.meta.beforeRename' ? during() : undefined),
  }
  const { disk, env, wal } = await opened(undefined, undefined, failpoints)
  for (let i = 0; i < 100; i++) lsns.push(await wal.append([operation(i)]))
  wal.acknowledge('primary', lsns)
  wal.acknowledge('backup', lsns.slice(0, 30))
  during = () => wal.acknowledge('backup', lsns)
  await env.advance(1_000)
  // Entries that the meta file does not name as acknowledged are still in a segment.
  disk.crash(() => 0)
  const again = await opened(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([])
  expect((await readOperations(again.wal, 'backup')).length).toBeGreaterThan(60)
})

test('what a failed start left behind goes before the segment that superseded it', async () => {
  const { disk, env, wal } = await opened()
  await wal.append([operation(0)])
  disk.fail('sync', { path: SEGMENT })
  disk.fail('sync-directory')
  disk.fail('remove', { path: SEGMENT, times: 3 })
  await refuses(wal.append([operation(1)]), 'UNAVAILABLE', 'unknown')
  await env.advance(1_000)
  const lsns = [1]
  for (let i = 2; i < 100; i++) lsns.push(await wal.append([operation(i)]))
  wal.acknowledge('primary', lsns)
  wal.acknowledge('backup', lsns)
  await env.advance(60_000)
  expect(segments(disk)).toHaveLength(1)
  disk.crash(() => 0)
  const again = await opened(disk)
  expect(await again.wal.append([operation(100)])).toBe(lsns.length + 1)
})

test('a quarantined entry does not keep its segment, and survives without it', async () => {
  const { disk, env, wal } = await opened()
  const lsns: number[] = []
  for (let i = 0; i < 100; i++) lsns.push(await wal.append([operation(i)]))
  await wal.quarantine('backup', 3, 'poison')
  wal.acknowledge('primary', lsns)
  wal.acknowledge(
    'backup',
    lsns.filter((lsn) => lsn !== 3),
  )
  await env.advance(60_000)
  expect(segments(disk)).toHaveLength(1)
  expect(await wal.pending('backup', 'key')).toEqual([operation(2)])
  disk.crash(() => 0)
  const again = await opened(disk)
  expect(await again.wal.pending('backup', 'key')).toEqual([operation(2)])
  expect(again.wal.stats().places.backup).toMatchObject({ quarantinedEntries: 1, cursor: 2 })
  again.wal.acknowledge('backup', [3])
  await again.wal.close()
  const last = await opened(disk)
  expect(last.wal.hasPending('backup', 'key')).toBe(false)
})

test('without sync the log says that it is not durable', async () => {
  const { disk, wal } = await opened(new SimulatedDisk(), { sync: 'never' })
  const before = disk.count('sync')
  await wal.append([operation(0)])
  expect(disk.count('sync')).toBe(before)
  expect(wal.stats()).toMatchObject({ durable: false })
  await wal.close()
  const again = await opened(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([operation(0)])
})

test('a burst of 64 appends shares one sync', async () => {
  const { wal } = await opened()
  const before = wal.stats().syncs
  await Promise.all(Array.from({ length: 64 }, (_, i) => wal.append([operation(i)])))
  expect(wal.stats().syncs - before).toBe(1)
})

test('writes that are short go on where they ended', async () => {
  const disk = new SimulatedDisk()
  const attached = disk.attach()
  // Takes a third of what it is given, as any write may.
  const stingy: Disk = {
    ...attached,
    open: async (path, mode) => {
      const file = await attached.open(path, mode)
      const write: DiskFile['write'] = async (buffer, offset) =>
        await file.write(buffer.subarray(0, Math.ceil(buffer.byteLength / 3)), offset)
      return { ...file, write }
    },
  }
  const wal = new FileWal(virtualEnv({ disk: stingy }), { directory: '/wal', segmentBytes: 4096 })
  await wal.open('writer')
  const operations = Array.from({ length: 20 }, (_, i) => operation(i))
  for (const each of operations) await wal.append([each])
  expect(await afterPowerCut(disk)).toEqual(operations)
})

test('where the disk writes and syncs in one call an append is that call', async () => {
  const calls: string[] = []
  const disk = new SimulatedDisk()
  const quick: Disk = {
    ...disk.attach(),
    async open(path, mode) {
      const file = await disk.open(path, mode)
      return {
        ...file,
        async write(buffer, offset) {
          calls.push('write')
          return await file.write(buffer, offset)
        },
        async sync() {
          calls.push('sync')
          await file.sync()
        },
        // As `write` it may take less than it is given.
        async writeSynced(buffer, offset) {
          calls.push('writeSynced')
          const written = await file.write(buffer.subarray(0, 64), offset)
          await file.sync()
          return written
        },
      }
    },
  }
  const wal = new FileWal(virtualEnv({ disk: quick }), { directory: '/wal' })
  await wal.open('writer')
  await wal.append([operation(1)])
  calls.length = 0
  const operations = [1, 2, 3].map(operation)
  for (const each of operations.slice(1)) await wal.append([each])
  expect(new Set(calls)).toEqual(new Set(['writeSynced']))
  expect(calls.length).toBeGreaterThan(2)
  expect(await afterPowerCut(disk)).toEqual(operations)
})
