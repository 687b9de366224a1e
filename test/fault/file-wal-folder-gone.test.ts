// Goal: a receipt that names the log is true although somebody removes the folder of the log while its process
//   runs: it is noticed before anything more is acknowledged, and the log goes on with all that some place lacks.
// Method: a simulated disk on which the folder is removed, at each moment of the way; then the machine loses power.
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../src/core/operation.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { readOperations, refuses } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { FileWalOptions } from '../../src/wal/file/options.ts'

const operation = (i: number, key = 'key'): Operation => append(key, stampAt(i), `value ${i}`)
const all = (...numbers: readonly number[]): Operation[] => numbers.map((i) => operation(i))

interface Opened {
  readonly env: VirtualEnv
  readonly wal: FileWal
}

let pids = 0

async function opened(disk: SimulatedDisk, options: Partial<FileWalOptions> = {}): Promise<Opened> {
  const pid = ++pids
  const self = { bootId: 'boot', pidNamespace: '1', pid, startTime: '1' }
  const process = { self, state: () => 'unknown' as const }
  const env = virtualEnv({ disk: disk.attach(), seed: pid, process })
  const wal = new FileWal(env, { directory: '/data/wal', segmentBytes: 4096, ...options })
  await wal.open(`writer-${pid}`)
  return { env, wal }
}

/** What a machine finds that loses power now and keeps nothing that was not synced. */
async function afterPowerCut(disk: SimulatedDisk): Promise<Opened> {
  disk.crash(() => 0.999)
  disk.heal()
  return await opened(disk)
}

function sorted(operations: readonly Operation[]): Operation[] {
  return operations.toSorted((a, b) => (a.stamp < b.stamp ? -1 : 1))
}

test.each(['/data/wal', '/data'])(
  'after %s was removed nothing is acknowledged that is not on disk, and all that a place lacks is again',
  async (folder) => {
    const disk = new SimulatedDisk()
    const { env, wal } = await opened(disk)
    for (let i = 1; i <= 100; i++) await wal.append([operation(i)])
    wal.acknowledge('primary', [1, 2, 3, 50])
    wal.acknowledge('backup', [1, 2, 50, 51])
    await wal.quarantine('backup', 4, 'poison')
    disk.wipe(folder)
    await refuses(wal.append([operation(101)]), 'UNAVAILABLE', 'unknown')
    expect(wal.stats().reasons.join()).toContain('was removed, or another process took it over')
    expect(await readOperations(wal, 'primary')).toHaveLength(96)
    await env.advance(1_000)
    expect(wal.stats().state).toBe('open')
    expect(await wal.append([operation(102)])).toBe(101)
    // Who knew of an entry may still tell that a place has it.
    wal.acknowledge('primary', [60])
    await env.advance(2_000)
    const found = [await readOperations(wal, 'primary'), await readOperations(wal, 'backup')]
    const again = await afterPowerCut(disk)
    expect(await readOperations(again.wal, 'primary')).toEqual(found[0])
    expect(await readOperations(again.wal, 'backup')).toEqual(found[1])
    const numbers = Array.from({ length: 100 }, (_, i) => i + 1)
    const lacked = numbers.filter((i) => ![1, 2, 3, 50, 60].includes(i))
    expect(found[0]).toEqual(all(...lacked, 102))
    expect(found[1]).toEqual(all(...numbers.filter((i) => ![1, 2, 4, 50, 51].includes(i)), 102))
    expect(await again.wal.refused('backup')).toMatchObject([{ reason: 'poison', keys: ['key'] }])
  },
)

test('a process that appends nothing notices it by its heartbeat', async () => {
  const disk = new SimulatedDisk()
  const { env, wal } = await opened(disk)
  await wal.append([operation(1)])
  disk.wipe('/data/wal')
  await env.advance(11_000)
  const again = await afterPowerCut(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([operation(1)])
})

test('a group that waits for the ceiling notices it too', async () => {
  const disk = new SimulatedDisk()
  const { env, wal } = await opened(disk)
  await wal.append([operation(1)])
  disk.wipe('/data/wal')
  const late = append('key', stampAt(Date.UTC(2026, 0, 1) + 100_000 - Date.UTC(2024, 0, 1)), 'late')
  await refuses(wal.append([late]), 'UNAVAILABLE', 'none')
  await env.advance(1_000)
  await wal.append([late])
  const again = await afterPowerCut(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual([operation(1), late])
})

test('what neither memory nor an open file has is counted, and holds up nothing', async () => {
  const disk = new SimulatedDisk()
  const { env, wal } = await opened(disk, { cacheBytes: 0 })
  for (let i = 1; i <= 100; i++) await wal.append([operation(i)])
  disk.wipe('/data/wal')
  await refuses(wal.pending('primary', 'key'), 'UNAVAILABLE', 'none')
  await refuses(wal.append([operation(101)]), 'UNAVAILABLE', 'unknown')
  await env.advance(1_000)
  expect(wal.stats().state).toBe('open')
  const lost = Number(/(\d+) entries went with/.exec(wal.stats().reasons.join())?.[1])
  expect(lost).toBeGreaterThan(0)
  await wal.append([operation(102)])
  const left = await readOperations(wal, 'primary')
  expect(left).toHaveLength(101 - lost)
  expect(left.at(-1)).toEqual(operation(102))
  const again = await afterPowerCut(disk)
  expect(await readOperations(again.wal, 'primary')).toEqual(left)
})

test('while no folder can be made appends are refused, reads go on, and it is tried again', async () => {
  const disk = new SimulatedDisk()
  const { env, wal } = await opened(disk)
  await wal.append([operation(1)])
  disk.wipe('/data/wal')
  disk.fail('make-directory', { code: 'EACCES', times: Infinity })
  await refuses(wal.append([operation(2)]), 'UNAVAILABLE', 'unknown')
  await env.advance(60_000)
  expect(wal.stats().state).toBe('failed')
  await refuses(wal.append([operation(2)]), 'UNAVAILABLE', 'none')
  expect(await readOperations(wal, 'primary')).toEqual([operation(1)])
  disk.heal()
  await env.advance(10_000)
  expect(await wal.append([operation(2)])).toBe(2)
  disk.wipe('/data/wal')
  await refuses(wal.append([operation(3)]), 'UNAVAILABLE', 'unknown')
  await env.drive(wal.close())
  expect(env.pendingTimers()).toBe(0)
})

test('wherever the process dies on the way to a new folder, the log opens again', async () => {
  for (let operations = 1; ; operations++) {
    const disk = new SimulatedDisk()
    const { env, wal } = await opened(disk)
    for (let i = 1; i <= 30; i++) await wal.append([operation(i)])
    wal.acknowledge('primary', [1, 2, 20])
    wal.acknowledge('backup', [1, 2, 20])
    await wal.quarantine('backup', 3, 'poison')
    wal.acknowledge('primary', [3])
    disk.wipe('/data/wal')
    void wal.append([operation(31)]).catch(() => {})
    disk.stopAfter(operations)
    await env.advance(1_000)
    const isWhole = !disk.isStopped
    disk.kill()
    const again = await opened(disk)
    const primary = sorted(await readOperations(again.wal, 'primary'))
    const wanted = Array.from({ length: 30 }, (_, i) => i + 1).filter((i) => i > 3 && i !== 20)
    expect(all(...wanted), `stopped after ${operations}`).toEqual(expect.arrayContaining(primary))
    if (!isWhole) continue
    expect(primary).toEqual(all(...wanted))
    expect(await again.wal.pending('backup', 'key')).toHaveLength(wanted.length + 1)
    return
  }
})

// Goal: a file of the log that somebody removes alone is never a shorter log. Method: each kind, while the process
//   runs; what is acknowledged after it is there after a power cut, or opening says CORRUPT.
test.each([
  ['newest segment', /\.wal$/, -1, 'goes on'],
  ['oldest segment', /\.wal$/, 0, 'CORRUPT'],
  ['segment in the middle', /\.wal$/, 1, 'CORRUPT'],
  ['note of what places have', /meta-/, 0, 'goes on'],
  ['heartbeat', /heartbeat$/, 0, 'goes on'],
  ['spare segment', /spare-/, 0, 'goes on'],
] as const)(
  'without its %s nothing that was acknowledged is missing',
  async (_what, name, at, then) => {
    const disk = new SimulatedDisk()
    const { env, wal } = await opened(disk)
    for (let i = 1; i <= 100; i++) await wal.append([operation(i)])
    const files = disk.paths().filter((path) => name.test(path))
    const file = files.sort().at(at)!
    await disk.remove(file)
    await disk.syncDirectory(dirname(file))
    await wal.append([operation(101)]).catch(() => undefined)
    await env.advance(2_000)
    await wal.append([operation(102)])
    await env.advance(2_000)
    const wanted = all(...Array.from({ length: 100 }, (_, i) => i + 1), 102)
    expect(await readOperations(wal, 'primary')).toEqual(expect.arrayContaining(wanted))
    const found = afterPowerCut(disk).then(({ wal: again }) => readOperations(again, 'primary'))
    if (then === 'CORRUPT') await refuses(found, 'CORRUPT', 'none')
    else expect(await found).toEqual(expect.arrayContaining(wanted))
  },
)
