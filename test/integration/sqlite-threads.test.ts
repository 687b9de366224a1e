// Goal: SQLite in threads of its own behaves as on the calling thread, ends with the process, and
// outlives the death of a thread.
// Method: the compiled package, since a thread of Node 20 cannot run TypeScript.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import type { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { isStorageError } from '../../src/core/errors.ts'
import { encodeJson } from '../../src/core/json.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import { replicaBackendConformance } from '../../src/testing/replica-backend-conformance.ts'
import { emptyPackage } from '../support/package-folder.ts'
import { BuiltCli } from './cli-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'everthread-sqlite-'))
const built = new BuiltCli()
let Backend: typeof SqliteBackend
const paths = new Map<unknown, string>()
let files = 0

beforeAll(async () => {
  const url = pathToFileURL(join(dirname(built.entry), 'backend', 'sqlite', 'index.js')).href
  const module = (await import(url)) as { SqliteBackend: typeof SqliteBackend }
  Backend = module.SqliteBackend
})
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true })
})

async function openFile(path = join(directory, `${++files}.db`)): Promise<SqliteBackend> {
  const backend = new Backend({ path })
  paths.set(backend, path)
  await backend.connect()
  return backend
}

replicaBackendConformance({
  name: 'sqlite in threads',
  open: () => openFile(),
  reopen: (backend) => openFile(paths.get(backend)!),
  capabilities: { persistent: true, propertyRuns: 12 },
})

function append(n: number): Operation {
  const stamp = `01900000-0000-7000-8000-${String(n).padStart(12, '0')}` as Stamp
  const value = encodeJson(`message ${n}`)
  return { kind: 'put', change: 'append', key: 'k', id: stamp, position: stamp, stamp, value }
}

/** Workers that are given writes while the test runs. */
function watchWorkers(): Worker[] {
  const workers: Worker[] = []
  const { postMessage } = Worker.prototype
  const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
    this: Worker,
    ...args: Parameters<typeof postMessage>
  ) {
    const { method } = args[0] as { readonly method?: string }
    if (method === 'run' && !workers.includes(this)) workers.push(this)
    postMessage.apply(this, args)
  })
  onTestFinished(() => spy.mockRestore())
  return workers
}

test('a write runs in another thread, and after its death in a new one', async () => {
  const workers = watchWorkers()
  const backend = await openFile()
  onTestFinished(() => backend.disconnect())
  await backend.apply([append(1)])
  expect(workers).toHaveLength(1)
  const died = workers[0]!.terminate()
  const outcome = await backend.apply([append(2)]).catch((error: unknown) => error)
  await died
  // It may have been taken before the end: the caller is not told that it was not.
  if (isStorageError(outcome))
    expect(outcome).toMatchObject({ code: 'UNAVAILABLE', effect: 'unknown' })
  await backend.apply([append(2)])
  await backend.apply([append(3)])
  expect(workers).toHaveLength(2)
  const { items } = await backend.readItems({ key: 'k', limit: 10, order: 'oldest' })
  expect(items.map(({ appended }) => appended)).toEqual([
    '"message 1"',
    '"message 2"',
    '"message 3"',
  ])
})

test('the log is moved into the file beside the commits', async () => {
  const methods: unknown[] = []
  const { postMessage } = Worker.prototype
  const spy = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
    this: Worker,
    ...args: Parameters<typeof postMessage>
  ) {
    methods.push((args[0] as { readonly method?: string }).method)
    postMessage.apply(this, args)
  })
  onTestFinished(() => spy.mockRestore())
  const backend = await openFile()
  onTestFinished(() => backend.disconnect())
  let n = 0
  await expect
    .poll(
      async () => {
        await backend.apply([append(++n)])
        return methods
      },
      { timeout: 20_000 },
    )
    .toContain('checkpoint')
  // It ends before its file does.
  await backend.disconnect()
})

test('a file that is removed while threads have it open is noticed, and begun anew', async () => {
  const path = join(directory, 'gone.db')
  const backend = await openFile(path)
  onTestFinished(() => backend.disconnect())
  await backend.apply([append(1)])
  rmSync(path)
  await expect(backend.apply([append(2)])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect
    .poll(
      async () =>
        await backend.get('k').then(
          () => true,
          () => false,
        ),
    )
    .toBe(true)
  await backend.apply([append(3)])
  expect((await backend.countItems('k')).count).toBe(1)
  for await (const part of backend.checkParts()) throw new Error(`${part.name} is damaged`)
  await backend.mendParts()
  expect((await backend.countItems('k')).count).toBe(1)
})

test('with threads off no thread is started', async () => {
  const workers = watchWorkers()
  const backend = new Backend({ path: join(directory, 'own.db'), threads: false })
  await backend.connect()
  onTestFinished(() => backend.disconnect())
  await backend.apply([append(1)])
  expect(workers).toHaveLength(0)
})

test('a thread that cannot start is replaced by the calling one, with one warning', async () => {
  const folder = emptyPackage('threads')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(dirname(built.entry), join(folder, 'dist'), { recursive: true })
  const script = join(folder, 'dist', 'backend', 'sqlite', 'engine-worker.js')
  writeFileSync(script, `throw new Error('it is none')`)
  const url = pathToFileURL(join(dirname(script), 'index.js')).href
  const module = (await import(url)) as { SqliteBackend: typeof SqliteBackend }
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) }
  for (const name of ['one.db', 'two.db']) {
    const backend = new module.SqliteBackend({ path: join(directory, name) }, nodeEnv({ logger }))
    await backend.connect()
    onTestFinished(() => backend.disconnect())
    await backend.apply([append(1)])
    expect((await backend.countItems('k')).count).toBe(1)
  }
  const told = warnings.filter((text) => text.startsWith('SQLite runs on the main thread'))
  expect(told).toEqual([expect.stringContaining('it is none')])
})

test('a program ends by itself with the database open, and waits for what it awaits', () => {
  const url = pathToFileURL(join(dirname(built.entry), 'backend', 'sqlite', 'index.js')).href
  const program = `
    import { SqliteBackend } from ${JSON.stringify(url)}
    const backend = new SqliteBackend({ path: ${JSON.stringify(join(directory, 'end.db'))} })
    await backend.connect()
    await backend.apply([${JSON.stringify(append(1))}])
    console.log((await backend.countItems('k')).count)
  `
  const args = ['--input-type=module', '-e', program]
  const cwd = dirname(createRequire(import.meta.url).resolve('vitest/package.json'))
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, stdout }).toEqual({ status: 0, stdout: '1\n' })
})

test('process.exit in the middle of a commit ends with its code, and each commit is whole', async () => {
  const url = pathToFileURL(join(dirname(built.entry), 'backend', 'sqlite', 'index.js')).href
  const path = join(directory, 'exit.db')
  const GROUP = 3
  const program = `
    import { readFileSync } from 'node:fs'
    import { SqliteBackend } from ${JSON.stringify(url)}
    const backend = new SqliteBackend({ path: ${JSON.stringify(path)} })
    await backend.connect()
    for (const group of JSON.parse(readFileSync(0, 'utf8'))) void backend.apply(group)
    setTimeout(() => process.exit(7), Number(process.argv[1]))
  `
  const groups = Array.from({ length: 1_000 }, (_, group) =>
    Array.from({ length: GROUP }, (_, n) => append(group * GROUP + n + 1)),
  )
  const cwd = dirname(createRequire(import.meta.url).resolve('vitest/package.json'))
  // Several moments: only some of them meet a call.
  for (let delayMs = 20; delayMs <= 300; delayMs += 20) {
    rmSync(path, { force: true })
    const args = ['--input-type=module', '-e', program, String(delayMs)]
    const input = JSON.stringify(groups)
    const { status, signal } = spawnSync(process.execPath, args, { cwd, input, timeout: 60_000 })
    expect({ status, signal }).toEqual({ status: 7, signal: null })
    const backend = await openFile(path)
    expect((await backend.countItems('k')).count % GROUP).toBe(0)
    await backend.disconnect()
  }
})
