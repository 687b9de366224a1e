// Goal: a process does not end in the middle of a public call that it waits for, and ends by itself
// after it. Method: a process that makes one call after another, in which nothing else keeps it alive. Node exits with 13
// when it has nothing left to do while the program still waits.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatHistory, StorageManager, StrategicStorageManager } from '../../src/index.ts'
import { CHAT_CALLS, MANAGER_CALLS, methodsOf, STORE_CALLS } from '../support/public-calls.ts'
import { describePostgres, postgresUrl } from '../support/postgres-backend.ts'
import { ROOT } from '../support/source-files.ts'

const TIMEOUT_MS = 60_000
/** Below the repository, so that the programs find their packages. */
const CACHE = join(ROOT, 'node_modules', '.cache')
mkdirSync(CACHE, { recursive: true })
const folder = mkdtempSync(join(CACHE, 'everthread-keep-alive-'))

beforeAll(async () => {
  const bundle = await rolldown({
    input: ['await-every-call', 'await-postgres'].map((name) =>
      join(ROOT, 'test', 'support', `${name}.ts`),
    ),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    onLog: () => {},
  })
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: '[name].js' })
  await bundle.close()
}, TIMEOUT_MS)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each([
  ['chat', ChatHistory, CHAT_CALLS],
  ['store', StrategicStorageManager, STORE_CALLS],
  ['manager', StorageManager, MANAGER_CALLS],
] as const)(
  'no call of the %s is cut short by the end of the process',
  async (subject, type, calls) => {
    const methods = Object.keys(calls)
    expect(methodsOf(type)).toEqual(methods.toSorted())
    const end = await run('await-every-call.js', subject)
    expect(end.stdout.trim().split('\n')).toEqual(methods)
    expect(end.code).toBe(0)
  },
  TIMEOUT_MS,
)

// An idle pool lets the process end, also while it is waited for to close.
describePostgres('PostgreSQL by itself', () => {
  test(
    'is not cut short while it disconnects',
    async () => {
      const { code, stdout } = await run('await-postgres.js', postgresUrl!)
      expect(stdout.trim().split('\n')).toEqual(['connect', 'set', 'disconnect'])
      expect(code).toBe(0)
    },
    TIMEOUT_MS,
  )
})

interface End {
  readonly code: number
  readonly stdout: string
}

async function run(program: string, argument: string): Promise<End> {
  return await promisify(execFile)(process.execPath, [join(folder, program), argument]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: unknown) => error as End,
  )
}
