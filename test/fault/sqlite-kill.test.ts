import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { loadSqliteDriver } from '../../src/backend/sqlite/connection/driver.ts'
import { SqliteBackend } from '../../src/backend/sqlite/index.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const WRITER = fileURLToPath(new URL('./sqlite-writer.ts', import.meta.url))

/** Long enough for a writer to begin and to find the file locked; it waits longer than that. */
const LOCKED_MS = 2_000

/** Runs a writer until it has had this many saves acknowledged, kills it and returns their ids. */
async function killedWriter(path: string, name: string, acknowledged: number): Promise<string[]> {
  const child = spawn(process.execPath, [RUN, WRITER, path, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const ids: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    ids.push(line)
    if (ids.length === acknowledged) child.kill('SIGKILL')
  }
  const [, signal] = (await ended) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  // The last line may be torn: it was being printed.
  return ids.filter((id) => id.length === 36)
}

// Goal: an acknowledged save survives kill -9, and a group is never half there.
// Method: two processes write to one file at once; each is killed in the middle of its batches.
test('what two killed processes had acknowledged is in the file, and groups are whole', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-kill-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'chat.db')
  for (let round = 0; round < 2; round++) {
    const names = [`${round} a`, `${round} b`]
    const killed = await Promise.all(
      names.map(async (name, i) => await killedWriter(path, name, 200 + 300 * i)),
    )
    const backend = new SqliteBackend({ path })
    await backend.connect()
    onTestFinished(async () => await backend.disconnect())
    for (const [i, name] of names.entries()) {
      const ids = killed[i]!
      expect(ids.length).toBeGreaterThanOrEqual(200)
      const { items } = await backend.readItemsById(`list ${name}`, ids)
      expect(items).toHaveLength(ids.length)
      expect((await backend.countItems(`list ${name}`)).count % 2).toBe(0)
    }
  }
})

// It ended by itself, with exit code 13, while another process had the lock.
test('a writer that waits for a lock of another process goes on when that is free', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-kill-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'chat.db')
  const driver = await loadSqliteDriver()
  const holder = driver.open(path)
  holder.exec('PRAGMA journal_mode = WAL')
  holder.exec('BEGIN IMMEDIATE')
  const timer = setTimeout(() => holder.close(), LOCKED_MS)
  onTestFinished(() => clearTimeout(timer))
  expect((await killedWriter(path, 'a', 20)).length).toBeGreaterThanOrEqual(20)
})
