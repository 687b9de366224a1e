// Goal: a process does not end in the middle of a public call that it waits for, and ends by itself
// after it. Method: a process that makes one call after another, in which nothing else keeps it alive. Node exits with 13
// when it has nothing left to do while the program still waits.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ChatHistory, StorageManager, StrategicStorageManager } from '../../src/index.ts'
import { CHAT_CALLS, MANAGER_CALLS, methodsOf, STORE_CALLS } from '../support/public-calls.ts'
import { ROOT } from '../support/source-files.ts'

const TIMEOUT_MS = 60_000
const folder = mkdtempSync(join(tmpdir(), 'everthread-keep-alive-'))
const program = join(folder, 'await-every-call.js')

beforeAll(async () => {
  const bundle = await rolldown({
    input: join(ROOT, 'test', 'support', 'await-every-call.ts'),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !id.startsWith('/'),
    onLog: () => {},
  })
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'await-every-call.js' })
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
    const end = await promisify(execFile)(process.execPath, [program, subject]).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: unknown) => error as { readonly code: number; readonly stdout: string },
    )
    expect(end.stdout.trim().split('\n')).toEqual(methods)
    expect(end.code).toBe(0)
  },
  TIMEOUT_MS,
)
