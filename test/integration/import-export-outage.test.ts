// Goal: an import through PostgreSQL, SQLite and a file log ends with the same content in both
// databases as in the file, although PostgreSQL or the import itself is killed half way; importing
// once more adds nothing.
// Method: the compiled command line as a process, on 100 made-up conversations of a customer service
// with tools. EVERTHREAD_IMPORT_FILE takes other conversations instead.
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import { tenantPrefix } from '../../src/chat/keys.ts'
import { describeServers } from '../fault/support/describe-servers.ts'
import { serviceConversations } from '../fault/support/service-conversations.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { BuiltCli, type CliOptions, type CliResult } from './cli-process.ts'

interface Line {
  readonly conversationId: string
  readonly messages: readonly unknown[]
}

const FILE = process.env['EVERTHREAD_IMPORT_FILE']
const LINES: readonly Line[] =
  FILE === undefined
    ? serviceConversations({ seed: 20_240_515, count: 100 })
    : parse(readFileSync(FILE, 'utf8'))
const TEXT = LINES.map((line) => `${JSON.stringify(line)}\n`).join('')
const MESSAGES = LINES.reduce((sum, { messages }) => sum + messages.length, 0)

/** How long a look at the half-way mark waits for the next one. Milliseconds. */
const LOOK_MS = 2

describeServers('100 conversations of a customer service', () => {
  const cli = new BuiltCli()
  let server: PostgresServer
  let cwd: string
  let tenant = 0

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await server.stop()
  })
  beforeEach(async () => {
    tenant++
    cwd = await mkdtemp(join(tmpdir(), 'everthread-import-'))
    await writeFile(join(cwd, 'in.jsonl'), TEXT)
  })
  afterEach(() => rm(cwd, { recursive: true, force: true }))

  const run = async (args: readonly string[], options: Partial<CliOptions> = {}) =>
    await cli.run(args, {
      cwd,
      env: { EVERTHREAD_PRIMARY_URL: server.url, EVERTHREAD_TENANT: `tenant ${tenant}` },
      ...options,
    })

  const exported = async (from: 'primary' | 'backup'): Promise<readonly Line[]> => {
    const { code, stdout, stderr } = await run(['export', '--from', from])
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    return parse(stdout)
  }

  /** Both databases hold what the file has: every field, in order. */
  const expectEqual = async (): Promise<void> => {
    const wanted = sorted(LINES)
    expect(sorted(await exported('primary'))).toEqual(wanted)
    expect(sorted(await exported('backup'))).toEqual(wanted)
  }

  const expectNothingNew = async (): Promise<void> => {
    const { code, stdout } = await run(['import', 'in.jsonl', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      conversations: LINES.length,
      messages: { acknowledged: MESSAGES, new: 0, alreadyThere: MESSAGES, conflicts: 0 },
    })
    await expectEqual()
  }

  /** Resolves when this share of the conversations has begun in the primary. */
  const reached = async (share: number): Promise<void> => {
    const primary = new PostgresBackend({ url: server.url })
    await primary.connect()
    try {
      const prefix = tenantPrefix(`tenant ${tenant}`)
      for (;;) {
        if ((await primary.list(prefix)).length >= LINES.length * share) return
        await sleep(LOOK_MS)
      }
    } finally {
      await primary.disconnect()
    }
  }

  test('PostgreSQL is killed half way and started again: nothing is missing, doubled or moved', async () => {
    const importing = run(['import', 'in.jsonl', '--json'])
    await reached(0.4)
    await server.kill()
    // The import goes on without it: it may even be through before the server is back.
    await Promise.race([importing, sleep(500)])
    await server.restart()
    const { code, stdout } = await importing
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      conversations: LINES.length,
      messages: { acknowledged: MESSAGES, conflicts: 0 },
    })
    // What the primary missed at the end is in the log: the next command brings it.
    await settled()
    await expectEqual()
    await expectNothingNew()
  })

  test('the import is killed half way: the same import completes it', async () => {
    let killed: Promise<void> | undefined
    const first: CliResult = await run(['import', 'in.jsonl', '--json'], {
      onStart: (child) => {
        killed = reached(0.4).then(() => void child.kill('SIGKILL'))
      },
    })
    await killed
    expect(first.code).toBe(null)
    const { code, stdout } = await run(['import', 'in.jsonl', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ messages: { acknowledged: MESSAGES, conflicts: 0 } })
    await settled()
    await expectEqual()
    await expectNothingNew()
  })

  test('both are killed half way, and PostgreSQL stays away until the import was repeated', async () => {
    let killed: Promise<void> | undefined
    const first: CliResult = await run(['import', 'in.jsonl', '--json'], {
      onStart: (child) => {
        killed = reached(0.4).then(async () => {
          await server.kill()
          await sleep(100)
          child.kill('SIGKILL')
        })
      },
    })
    await killed
    expect(first.code).toBe(null)
    const { code } = await run(['import', 'in.jsonl', '--json'])
    expect(code).toBe(0)
    await server.restart()
    await settled()
    await expectEqual()
    await expectNothingNew()
  })

  /** Any command that opens the store hands on what is in its log. */
  const settled = async (): Promise<void> => {
    await expect
      .poll(
        async () => {
          const { stdout } = await run(['status', '--json'])
          const { places } = JSON.parse(stdout) as {
            readonly places: Readonly<Record<string, { readonly pending: number }>>
          }
          return Object.values(places).map(({ pending }) => pending)
        },
        { timeout: 30_000 },
      )
      .toEqual([0, 0])
  }
})

function parse(text: string): readonly Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)
}

function sorted(lines: readonly Line[]): readonly Line[] {
  return lines.toSorted((a, b) => (a.conversationId < b.conversationId ? -1 : 1))
}
