// Goal: what is erased is in no file of the log, and everything else is as it was, also after a crash
// at any step. Method: files are searched for the bytes of a word that only erased payloads have.
import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ThroughOf } from '../../core/erase.ts'
import type { FailpointName } from '../../core/failpoint.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { append, clear, edit, stampAt } from '../../testing/backend/operations.ts'
import { readOperations } from '../../testing/wal/context.ts'
import { FileWal } from './file-wal.ts'

const CANARY = 'canary-3f1c'
const THROUGH = stampAt(1_000)
const throughOf: ThroughOf = (key) => (key === 'k' ? THROUGH : undefined)

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-erase-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function openWal(
  directory: string,
  hit: (name: FailpointName) => void = () => {},
): Promise<FileWal> {
  const wal = new FileWal(nodeEnv({ failpoints: { hit } }), { directory, segmentBytes: 4096 })
  await wal.open('8000-000000000001')
  onTestFinished(() => wal.close())
  return wal
}

async function filesWith(directory: string, word: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  const found = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const bytes = await readFile(join(parentPath, name))
      return bytes.includes(word) ? [name] : []
    }),
  )
  return found.flat()
}

/** Pending, acknowledged and refused entries with the canary, among others without. */
async function fill(wal: FileWal): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const lsn = await wal.append([
      append('other', stampAt(2 * i), 'x'.repeat(200)),
      append('k', stampAt(2 * i + 1), `${CANARY} ${i}`),
      edit('k', `${stampAt(1)}`, stampAt(1), stampAt(500 + i), `${CANARY} edited`),
    ])
    if (i % 3 === 0) wal.acknowledge('primary', [lsn])
    if (i % 6 === 0) wal.acknowledge('backup', [lsn])
    if (i % 7 === 1) await wal.quarantine('backup', lsn, 'refused')
  }
  await wal.append([append('k', stampAt(2_000), 'later')])
}

test('an erase leaves no byte of the payloads in segments and dead letters, and all else', async () => {
  const directory = await newDirectory()
  const wal = await openWal(directory)
  await fill(wal)
  expect((await filesWith(directory, CANARY)).length).toBeGreaterThan(2)
  const before = await readOperations(wal, 'backup')
  const erased = await wal.erase(throughOf)
  expect(erased.pending).toEqual([])
  expect(erased.count).toBeGreaterThan(0)
  expect(await filesWith(directory, CANARY)).toEqual([])
  const expected = before.map((operation) =>
    operation.key === 'k' && operation.stamp <= THROUGH ? clear('k', THROUGH) : operation,
  )
  expect(await readOperations(wal, 'backup')).toEqual(expected)
  expect(expected).toContainEqual(append('k', stampAt(2_000), 'later'))
  await wal.close()
  const again = await openWal(directory)
  expect(await readOperations(again, 'backup')).toEqual(expected)
  expect(await filesWith(directory, CANARY)).toEqual([])
})

test('an erase that fails at a step leaves a log that opens with every entry, and can be repeated', async () => {
  for (const step of ['wal.erase.beforeRename', 'wal.erase.afterRename'] as const) {
    for (const at of [1, 2, 4]) {
      const directory = await newDirectory()
      let hits = 0
      const wal = await openWal(directory, (name) => {
        if (name === step && ++hits === at) throw new Error('stop')
      })
      await fill(wal)
      const entries = (await readOperations(wal, 'primary')).length
      await expect(wal.erase(throughOf)).rejects.toThrow('stop')
      expect(await readOperations(wal, 'primary')).toHaveLength(entries)
      await wal.append([append('other', stampAt(3_000), 'after the failure')])
      await wal.erase(throughOf)
      expect(await filesWith(directory, CANARY)).toEqual([])
      await wal.close()
      const again = await openWal(directory)
      expect(await readOperations(again, 'primary')).toHaveLength(entries + 1)
      await again.close()
    }
  }
})

test('what a failed write left behind the last entry of a segment goes as well', async () => {
  const directory = await newDirectory()
  const wal = await openWal(directory)
  await wal.append([append('other', stampAt(1), 'kept')])
  const [log] = await readdir(directory)
  const segment = (await readdir(join(directory, log!))).find((name) => name.endsWith('.wal'))!
  await appendFile(join(directory, log!, segment), CANARY)
  await wal.erase(throughOf)
  expect(await filesWith(directory, CANARY)).toEqual([])
  expect(await readOperations(wal, 'backup')).toEqual([append('other', stampAt(1), 'kept')])
})

test('the log of another process that has such payloads is named until it has erased them too', async () => {
  const directory = await newDirectory()
  const wal = await openWal(directory)
  const other = await openWal(directory)
  await other.append([append('k', stampAt(1), CANARY)])
  expect((await wal.erase(throughOf)).pending).toHaveLength(1)
  expect((await other.erase(throughOf)).pending).toEqual([])
  expect((await wal.erase(throughOf)).pending).toEqual([])
  expect(await filesWith(directory, CANARY)).toEqual([])
})

test('appends that arrive during an erase are kept', async () => {
  const directory = await newDirectory()
  const wal = await openWal(directory)
  await fill(wal)
  const appends = Array.from({ length: 100 }, (_, i) =>
    wal.append([append('other', stampAt(5_000 + i), 'y'.repeat(300))]),
  )
  await Promise.all([wal.erase(throughOf), ...appends, wal.erase(throughOf)])
  await wal.close()
  const again = await openWal(directory)
  const kept = (await readOperations(again, 'primary')).filter(
    ({ stamp }) => stamp >= stampAt(5_000),
  )
  expect(kept).toHaveLength(100)
  expect(await filesWith(directory, CANARY)).toEqual([])
})
