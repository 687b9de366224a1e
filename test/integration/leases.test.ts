// Goal: one holder at a time across processes, and one that was paused is overtaken by a greater token. Method:
// two processes on PostgreSQL, Redis and SQLite, one of which is stopped.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { freshDatabase, postgresUrl } from '../support/postgres-backend.ts'
import { hasRedis, startRedis } from '../support/redis-server.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const HOLDER = fileURLToPath(new URL('lease-holder.ts', import.meta.url))
const TTL_MS = 3_000
const PATIENCE = { timeout: 30_000, interval: 20 }

const PRIMARIES: readonly (readonly [string, boolean, () => Promise<string>])[] = [
  ['postgresql', postgresUrl !== undefined, freshDatabase],
  ['redis', hasRedis, redisUrl],
  ['sqlite', true, async () => `sqlite:${join(await folder(), 'primary.db')}`],
]

for (const [name, isThere, primaryOf] of PRIMARIES) {
  test.runIf(isThere)(
    `${name}: a holder that is stopped is overtaken, and learns of it`,
    async () => {
      const primary = await primaryOf()
      const backup = `sqlite:${join(await folder(), 'backup.db')}`
      const mine = await optionsOf(primary, backup)
      const history = await openChatHistory(mine)
      onTestFinished(() => history.close())
      const holder = await start(await optionsOf(primary, backup))
      const token = Number((await holder.line('token')).split(' ')[1])
      expect(token).toBeGreaterThan(0)
      holder.child.stdin!.write('extend\n')
      expect(await holder.line('extended')).toBe('extended true')
      expect(await history.store.lease('work', TTL_MS)).toBeNull()
      holder.child.kill('SIGSTOP')
      const taken = await vi.waitUntil(() => history.store.lease('work', 60_000), PATIENCE)
      expect(taken!.token).toBeGreaterThan(token)
      holder.child.kill('SIGCONT')
      holder.child.stdin!.write('extend\n')
      expect(await holder.line('extended')).toBe('extended false')
      expect(await taken!.extend(60_000)).toBe(true)
      await taken!.release()
      const next = await history.store.lease('work', TTL_MS)
      expect(next!.token).toBeGreaterThan(taken!.token)
    },
  )
}

interface Holder {
  readonly child: ChildProcess
  /** The next line that begins with this word. */
  line(word: string): Promise<string>
}

async function start(options: ChatHistoryOptions): Promise<Holder> {
  const config = JSON.stringify({ options, key: 'work', ttlMs: TTL_MS })
  const child = spawn(process.execPath, [RUN, HOLDER, config], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(async () => {
    if (child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
    child,
    line: async (word) => {
      const found = await vi.waitUntil(
        () =>
          output
            .split('\n')
            .slice(0, -1)
            .find((line) => line.startsWith(word)),
        PATIENCE,
      )
      output = ''
      return found
    },
  }
}

async function optionsOf(primary: string, backup: string): Promise<ChatHistoryOptions> {
  return {
    primary,
    backup,
    wal: { type: 'file', filePath: join(await folder(), 'wal') },
  } as ChatHistoryOptions
}

async function redisUrl(): Promise<string> {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  return server.url
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'everthread-lease-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}
