// `npm run house -- --trips`: what one save, one page of 8 messages, and one save with its flush go through.
// Method: the engine's own counts of calls (V8's precise coverage), of compiled sources that are not bundled.
import { mkdtemp, rm } from 'node:fs/promises'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { openChatHistory as openChatHistoryOfSources } from '../../src/index.ts'
import { startPostgres } from '../../test/support/postgres-server.ts'

interface Trip {
  readonly files: number
  readonly functions: number
  readonly calls: number
  readonly timers: number
}

/** The least of so many runs: what runs beside it is not counted. */
const RUNS = 15
/** Until what a call leaves to the background is over. Milliseconds. */
const QUIET_MS = 400

const compiled = process.argv[3]!
const inspector = new Session()
inspector.connect()
await inspector.post('Profiler.enable')
await inspector.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })

const postgres = await startPostgres()
const folder = await mkdtemp(join(tmpdir(), 'everthread-trips-'))
try {
  await measure()
} finally {
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

async function measure(): Promise<void> {
  const { openChatHistory } = (await import(
    pathToFileURL(join(compiled, 'src/index.js')).href
  )) as {
    readonly openChatHistory: typeof openChatHistoryOfSources
  }
  const history = await openChatHistory({
    primary: { type: 'postgresql', url: postgres.url },
    backup: { type: 'sqlite', path: join(folder, 'backup.db') },
    wal: { type: 'file', filePath: join(folder, 'wal') },
    reconcile: false,
  })
  const save = async (): Promise<void> => {
    await history.saveMessage('c', { role: 'user', content: 'hello' })
  }
  for (let i = 0; i < 50; i++) await save()
  await history.flush()
  show('one save', await least(save))
  show('a page of 8 messages', await least(() => history.getHistory('c', { limit: 8 })))
  const flushed = async (): Promise<void> => {
    await save()
    await history.flush()
  }
  show('a save with its flush', await least(flushed))
  await history.close()
}

async function least(run: () => Promise<unknown>): Promise<Trip> {
  const trips: Trip[] = []
  for (let i = 0; i < RUNS; i++) {
    await delay(QUIET_MS)
    await counted()
    await run()
    trips.push(await counted())
  }
  return trips.sort((a, b) => a.calls - b.calls)[0]!
}

/** What was called since the last time. */
async function counted(): Promise<Trip> {
  const { result } = await inspector.post('Profiler.takePreciseCoverage')
  const called = result
    .filter(({ url }) => url.includes(compiled))
    .flatMap(({ url, functions }) =>
      functions
        .filter(({ functionName }) => functionName !== '')
        .map(({ functionName, ranges }) => ({ url, functionName, count: ranges[0]!.count })),
    )
    .filter(({ count }) => count > 0)
  const sum = (list: typeof called): number => list.reduce((total, { count }) => total + count, 0)
  return {
    files: new Set(called.map(({ url }) => url)).size,
    functions: called.length,
    calls: sum(called),
    timers: sum(called.filter(({ functionName }) => functionName === 'setTimer')),
  }
}

function show(name: string, { files, functions, calls, timers }: Trip): void {
  console.log(`${name}: ${files} files, ${functions} functions, ${calls} calls, ${timers} timers`)
}
