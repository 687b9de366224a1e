// Goal: a torn end is cut, damage anywhere else is reported with file and offset, and what is
//   damaged is left as it was.
// Method: a log of several writes is killed; then its file is cut or changed at every byte.
import { basename, dirname } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Disk, DiskFile } from '../../src/core/disk.ts'
import { isStorageError } from '../../src/core/errors.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { readOperations } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { FileWalOptions } from '../../src/wal/file/options.ts'
import { scanSegment, segmentFiles } from '../../src/wal/file/segment-scan.ts'
import type { Lsn } from '../../src/wal/wal.ts'

interface Log {
  readonly disk: SimulatedDisk
  readonly env: VirtualEnv
}

let pids = 0

function machine(disk: SimulatedDisk): Log {
  const pid = ++pids
  const self = { bootId: 'boot', pidNamespace: '1', pid, startTime: '1' }
  const process = {
    self,
    state: (other: { pid: number }) => (other.pid === pid ? ('alive' as const) : ('dead' as const)),
  }
  return { disk, env: virtualEnv({ disk: disk.attach(), process, seed: pid }) }
}

function walOf({ env }: Log, options: Partial<FileWalOptions> = {}): FileWal {
  return new FileWal(env, { directory: '/wal', segmentBytes: 4096, cacheBytes: 0, ...options })
}

const operation = (i: number) => append('key', stampAt(i), `value ${i}`)

/** A log whose writes are these groups, each synced alone; the process is then killed. */
async function killed(groups: readonly number[]): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk()
  const wal = walOf(machine(disk))
  await wal.open('writer-1')
  let i = 0
  for (const count of groups) {
    await Promise.all(Array.from({ length: count }, () => wal.append([operation(i++)])))
  }
  disk.kill()
  return disk
}

function segmentOf(disk: SimulatedDisk, which = 0): string {
  return disk.paths().filter((path) => path.endsWith('.wal'))[which]!
}

/** The offsets of the frames in a segment, and where they end. */
function framesOf(bytes: Buffer): { readonly offsets: readonly number[]; readonly end: number } {
  const offsets: number[] = []
  let at = 64
  while (at + 24 <= bytes.byteLength && bytes.readUInt32LE(at) !== 0) {
    offsets.push(at)
    at += Math.ceil((24 + bytes.readUInt32LE(at)) / 8) * 8
  }
  return { offsets, end: at }
}

async function openOf(disk: SimulatedDisk): Promise<FileWal> {
  const wal = walOf(machine(disk))
  await wal.open('writer-2')
  return wal
}

async function outcome(disk: SimulatedDisk): Promise<unknown> {
  return await openOf(disk).then(
    async (wal) => {
      const operations = await readOperations(wal, 'primary')
      await wal.close()
      return operations
    },
    (error: unknown) => error,
  )
}

test('the end is cut at every byte of the last write, and appends go on behind it', async () => {
  const disk = await killed([1, 2, 3])
  const path = segmentOf(disk)
  const whole = disk.bytes(path)
  const { offsets, end } = framesOf(whole)
  for (let kept = offsets[3]!; kept <= end; kept++) {
    const torn = Buffer.concat([whole.subarray(0, kept), Buffer.alloc(whole.byteLength - kept)])
    const copy = await killed([1, 2, 3])
    copy.put(segmentOf(copy), torn)
    // The frames of this write that are whole may stay: nobody was told that they are not there.
    const frames = offsets.filter((offset, i) => {
      const next = offsets[i + 1] ?? end
      return whole.subarray(offset, next).equals(torn.subarray(offset, next))
    }).length
    const wal = await openOf(copy)
    expect(await readOperations(wal, 'backup')).toEqual(
      Array.from({ length: frames }, (_, i) => operation(i)),
    )
    expect(await wal.append([operation(99)])).toBe(frames + 1)
    await wal.close()
    const again = await openOf(copy)
    expect(await readOperations(again, 'backup')).toHaveLength(frames + 1)
    await again.close()
  }
})

test('a file that is short, not only zeroed, is cut as well', async () => {
  const disk = await killed([1, 2, 3])
  const path = segmentOf(disk)
  const { offsets } = framesOf(disk.bytes(path))
  disk.put(path, disk.bytes(path).subarray(0, offsets[4]! + 11))
  expect(await outcome(disk)).toEqual([0, 1, 2, 3].map(operation))
})

test('a later frame of the same torn write does not make it damage', async () => {
  const disk = await killed([1, 2, 3])
  const path = segmentOf(disk)
  const { offsets } = framesOf(disk.bytes(path))
  disk.flip(path, offsets[3]! + 40)
  expect(await outcome(disk)).toEqual([0, 1, 2].map(operation))
})

test('a flipped bit anywhere before the last write is CORRUPT with file and offset, and nothing is changed', async () => {
  const sample = await killed([1, 2, 3])
  const { offsets } = framesOf(sample.bytes(segmentOf(sample)))
  for (let at = 0; at < offsets[3]!; at++) {
    const disk = await killed([1, 2, 3])
    const path = segmentOf(disk)
    disk.flip(path, at, 1 << (at % 8))
    const before = disk.bytes(path)
    const padding = isPadding(before, offsets, at)
    const error = await outcome(disk)
    if (padding) continue
    const name = path.slice(path.lastIndexOf('/') + 1)
    expect(isStorageError(error, 'CORRUPT'), `byte ${at}: ${String(error)}`).toBe(true)
    const offset = at < 64 ? 0 : offsets.findLast((start) => start <= at)!
    expect((error as Error).message).toContain(`${name} is damaged at offset ${offset}:`)
    // It has its former name again, so the next start says the same.
    expect(disk.bytes(path).equals(before)).toBe(true)
  }
})

/** The zeros behind a payload carry nothing and are not under the checksum. */
function isPadding(bytes: Buffer, offsets: readonly number[], at: number): boolean {
  const start = offsets.findLast((offset) => offset <= at)
  return start !== undefined && at >= start + 24 + bytes.readUInt32LE(start)
}

test('a flipped bit in the last write is damage once the log was closed', async () => {
  const disk = new SimulatedDisk()
  const wal = walOf(machine(disk))
  await wal.open('writer-1')
  await wal.append([operation(0)])
  await wal.close()
  const path = segmentOf(disk)
  const { offsets } = framesOf(disk.bytes(path))
  disk.flip(path, offsets[0]! + 30)
  const error = await outcome(disk)
  expect(isStorageError(error, 'CORRUPT')).toBe(true)
  expect((error as Error).message).toContain('at offset 64')
})

test('a missing segment and a missing end are damage', async () => {
  for (const which of ['first', 'middle', 'last'] as const) {
    const disk = new SimulatedDisk()
    const wal = walOf(machine(disk))
    await wal.open('writer-1')
    for (let i = 0; i < 120; i++) await wal.append([operation(i)])
    await wal.close()
    const segments = disk.paths().filter((path) => path.endsWith('.wal'))
    expect(segments.length).toBeGreaterThan(2)
    const index = which === 'first' ? 0 : which === 'last' ? segments.length - 1 : 1
    await disk.remove(segments[index]!)
    expect(isStorageError(await outcome(disk), 'CORRUPT'), which).toBe(true)
  }
})

test('one damaged meta file is survived, two are CORRUPT', async () => {
  const disk = await killed([1, 1])
  // A log that was never opened again has one generation only.
  await (await openOf(disk)).close()
  const metas = disk.paths().filter((path) => path.includes('meta-'))
  disk.flip(metas[0]!, 60)
  const wal = await openOf(disk)
  expect(await readOperations(wal, 'primary')).toHaveLength(2)
  await wal.close()
  for (const path of disk.paths().filter((name) => name.includes('meta-'))) disk.flip(path, 60)
  expect(isStorageError(await outcome(disk), 'CORRUPT')).toBe(true)
})

test('another format version is UNSUPPORTED', async () => {
  const { encodeHeader, SEGMENT_MAGIC } = await import('../../src/wal/file/segment-header.ts')
  const { crc32 } = await import('node:zlib')
  const disk = await killed([1])
  const header = encodeHeader({
    magic: SEGMENT_MAGIC,
    salt: 1,
    firstLsn: 1,
    generation: 1,
    writer: 'w',
  })
  header.writeUInt32LE(2, 8)
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60)
  disk.put(segmentOf(disk), Buffer.concat([header, Buffer.alloc(100)]))
  expect(isStorageError(await outcome(disk), 'UNSUPPORTED')).toBe(true)
})

test('a damaged entry is reported when it is read, not only at a start', async () => {
  const disk = new SimulatedDisk()
  const wal = walOf(machine(disk))
  await wal.open('writer-1')
  await wal.append([operation(0)])
  await wal.append([operation(1)])
  const path = segmentOf(disk)
  const { offsets } = framesOf(disk.bytes(path))
  disk.flip(path, offsets[1]! + 50)
  await expect(wal.pending('primary', 'key')).rejects.toMatchObject({ code: 'CORRUPT' })
  await wal.close()
})

test('a torn dead letter is cut, a damaged one is CORRUPT', async () => {
  const disk = await killed([1, 1, 1])
  const wal = await openOf(disk)
  await wal.quarantine('backup', 1, 'first')
  await wal.quarantine('backup', 2, 'second')
  disk.kill()
  const path = disk.paths().find((name) => name.endsWith('dead-letters.log'))!
  const { offsets } = framesOf(disk.bytes(path))
  expect(offsets).toHaveLength(2)

  disk.flip(path, offsets[1]! + 30)
  const again = await openOf(disk)
  expect(again.stats().places.backup.quarantinedEntries).toBe(1)
  await again.quarantine('backup', 3, 'third')
  expect(await readOperations(again, 'backup')).toEqual([operation(1)])
  disk.kill()
  const last = disk.paths().find((name) => name.endsWith('dead-letters.log'))!
  disk.flip(last, offsets[0]! + 30)
  expect(isStorageError(await outcome(disk), 'CORRUPT')).toBe(true)
})

test.each([0, 1])(
  'what its owner writes while a log of %i entries is read is no damage',
  async (count) => {
    const disk = new SimulatedDisk()
    const owner = machine(disk)
    const wal = walOf(owner)
    await wal.open('writer-1')
    onTestFinished(() => wal.close())
    let written = 0
    const write = async (): Promise<Lsn> => await wal.append([operation(written++)])
    for (let i = 0; i < count; i++) await write()
    // Between any two looks of the reader the owner makes two writes, one after the other.
    const open = async (path: string, how: 'open'): Promise<DiskFile> => {
      const file = await owner.env.disk.open(path, how)
      const read = async (buffer: Uint8Array, offset: number): Promise<number> => {
        const count = await file.read(buffer, offset)
        for (let i = 0; i < 2 && written < 12; i++) await write()
        return count
      }
      return { read, size: () => file.size(), close: () => file.close() } as DiskFile
    }
    const [directory, name] = [dirname(segmentOf(disk)), basename(segmentOf(disk))]
    const [segment] = segmentFiles([name])
    const found: Lsn[] = []
    const reader = { disk: { open } as unknown as Disk }
    const scanned = await scanSegment(
      reader,
      directory,
      segment!,
      { durableThrough: 0 },
      ({ lsn }) => found.push(lsn),
    )
    expect(scanned.damage).toBeUndefined()
    expect(found).toEqual(found.map((_, i) => i + 1))
    expect(scanned.next).toBe(found.length + 1)
  },
)
