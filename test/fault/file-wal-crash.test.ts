// Goal: what a log acknowledged survives kill -9 of its process, at any moment.
// Method: a process appends and prints what was acknowledged; it is killed after a random number of
//   lines, again and again on the same directory; then everything printed must be there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import { readAll } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { KEPT } from './file-wal-kept.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const WRITER = fileURLToPath(new URL('./file-wal-writer.ts', import.meta.url))
const ROUNDS = Number(process.env['WAL_KILL_ROUNDS'] ?? 20)

/** Runs a writer, kills it after this many acknowledgements, and returns what it printed. */
async function killedWriter(directory: string, lines: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [RUN, WRITER, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const printed = new Map<string, number>()
  let count = 0
  for await (const line of createInterface({ input: child.stdout })) {
    if (++count === lines) child.kill('SIGKILL')
    const [lsn, id] = line.split(' ')
    // The last line may be torn: it was being printed.
    if (id?.length === 36) printed.set(id, Number(lsn))
  }
  const [, signal] = (await ended) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  return printed
}

test('every acknowledged append is there after kill -9', { timeout: 300_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-wal-kill-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const acknowledged = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    const lines = 1 + Math.floor(Math.random() * (round % 2 === 0 ? 50 : 3000))
    for (const [id, lsn] of await killedWriter(directory, lines)) acknowledged.set(id, lsn)
    const last = Math.max(...acknowledged.values())

    const wal = new FileWal(nodeEnv(), { directory, segmentBytes: 65_536 })
    await wal.open(`reader-${round}`)
    for (const place of ['primary', 'backup'] as const) {
      const entries = await readAll(wal, place)
      const found = new Map<string, number>()
      for (const { lsn, operations } of entries) {
        for (const operation of operations) if ('id' in operation) found.set(operation.id, lsn)
      }
      expect(found.size, 'once').toBe(entries.length)
      const missing = [...acknowledged].filter(
        ([id, lsn]) => lsn > last - KEPT && found.get(id) !== lsn,
      )
      expect(missing, `of ${acknowledged.size} in round ${round}`).toEqual([])
    }
    await wal.close()
  }
})
