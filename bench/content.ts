/*
 * How fast content is saved and read, beside rows of the same bytes in a plain table, on SQLite: both wait for the
 * disk. Interleaved in one run. Prints the figures and writes bench/results/content.json.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSqliteDriver } from '../src/backend/sqlite/connection/driver.ts'
import { openChatHistory } from '../src/index.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const MIB = 1024 * 1024
const SIZE_MIB = Number(process.env['SIZE_MIB'] ?? 32)

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

/** MiB a second. */
async function rateOf(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (SIZE_MIB * 1_000) / (performance.now() - start)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

try {
  const driver = await loadSqliteDriver()
  const raw = driver.open(join(scratch, 'raw.db'))
  raw.exec('PRAGMA journal_mode = WAL')
  raw.exec('PRAGMA synchronous = FULL')
  raw.exec('CREATE TABLE blobs (id INTEGER PRIMARY KEY, body TEXT)')
  const insert = raw.prepare('INSERT INTO blobs (body) VALUES (?)')
  await using history = await openChatHistory({
    primary: `sqlite:${join(scratch, 'primary.db')}`,
    backup: `sqlite:${join(scratch, 'backup.db')}`,
    wal: `file:${join(scratch, 'wal')}`,
  })
  const rates: Record<'raw' | 'save' | 'again' | 'read', number[]> = {
    raw: [],
    save: [],
    again: [],
    read: [],
  }
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = randomBytes(SIZE_MIB * MIB)
    rates.raw.push(
      await rateOf(() => {
        for (let at = 0; at < bytes.byteLength; at += MIB) {
          insert.run(bytes.toString('base64', at, at + MIB))
        }
      }),
    )
    let ref = ''
    rates.save.push(await rateOf(async () => ({ ref } = await history.saveContent(pieces(bytes)))))
    // The backup is not to be busy with it while others are measured.
    await history.flush()
    rates.again.push(await rateOf(() => history.saveContent(bytes)))
    rates.read.push(
      await rateOf(async () => {
        for await (const _ of (await history.readContent(ref)).stream());
      }),
    )
    await history.flush()
  }
  raw.close()
  const figures = {
    rawInsertsMiBPerSecond: median(rates.raw),
    saveContentMiBPerSecond: median(rates.save),
    saveContentAgainMiBPerSecond: median(rates.again),
    readContentMiBPerSecond: median(rates.read),
    saveContentToRawInserts: median(rates.save.map((rate, i) => rate / rates.raw[i]!)),
  }
  await report('content', { figures, settings: { rounds: ROUNDS, sizeMiB: SIZE_MIB } })
} finally {
  await rm(scratch, { recursive: true, force: true })
}
