// Goal: a log that format version 1 wrote opens in every later release.
// Method: the files of `wal-v1/` were written once and are never written again; a copy is opened.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Operation } from '../../src/core/operation.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'
import { readOperations } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { WAL } from '../../src/wal/wal.ts'

const GOLDEN = fileURLToPath(new URL('./wal-v1', import.meta.url))

const GROUPS: readonly (readonly Operation[])[] = [
  [set('settings', stampAt(1), { theme: 'dark' })],
  [append('chat', stampAt(2), 'own id'), append('chat', stampAt(3), 'caller’s id', 'order-1')],
  [edit('chat', 'order-1', stampAt(3), stampAt(4), 'edited \ud800 \0 😀')],
  [remove('chat', 'order-1', stampAt(3), stampAt(5)), clear('chat:é😀', stampAt(6))],
  [append('chat', stampAt(7), 'x'.repeat(4000))],
  [{ ...append('chat', stampAt(8), 'position and stamp differ'), stamp: stampAt(9) }],
]

test('a log of format version 1 opens with everything in it', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'everthread-golden-'))
  onTestFinished(() => rmSync(copy, { recursive: true }))
  cpSync(GOLDEN, copy, { recursive: true })
  const wal = new FileWal(nodeEnv(), { directory: copy })
  expect(await wal.open('8000-0000000000ff')).toMatchObject({
    formerWriters: ['8000-000000000001', '8000-000000000002'],
    head: stampAt(9),
  })
  expect(await readOperations(wal, 'primary')).toEqual(GROUPS.flat())
  expect(await readOperations(wal, 'backup')).toEqual([...GROUPS[2]!, ...GROUPS[4]!, ...GROUPS[5]!])
  expect(await wal.pending('backup', 'chat:é😀')).toEqual([clear('chat:é😀', stampAt(6))])
  expect(wal.stats().places.backup).toMatchObject({ quarantinedEntries: 1, cursor: 2 })
  expect(await wal.append(GROUPS[0]!)).toBe(GROUPS.length + 1)
  await wal.close()
})

test.runIf(!existsSync(GOLDEN))(
  'writes the golden files, once for each format version',
  async () => {
    const disk = new SimulatedDisk()
    const create = (): WAL =>
      new FileWal(virtualEnv({ disk }), { directory: '/wal', segmentBytes: 4096 })
    const first = create()
    await first.open('8000-000000000001')
    for (const group of GROUPS.slice(0, 5)) await first.append(group)
    first.acknowledge('backup', [1, 2])
    await first.quarantine('backup', 4, 'refused by the backup')
    await first.close()
    const second = create()
    await second.open('8000-000000000002')
    await second.append(GROUPS[5]!)
    await second.close()
    for (const path of disk.paths()) {
      const target = join(GOLDEN, path.slice('/wal/'.length))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, disk.bytes(path))
    }
  },
)
