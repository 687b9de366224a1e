// Goal: Next.js, with its defaults and in a container, keeps what it saves in PostgreSQL and SQLite. Method: a route
// is built by both of its bundlers and asked over HTTP, under both lines of Node. SQLite has its threads each time:
// there is no warning.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { NODES } from '../support/application.ts'
import { freePort } from '../support/free-port.ts'
import { describePostgres, freshDatabase } from '../support/postgres-backend.ts'

/** Limits for what never comes. Milliseconds. */
const BUILD_MS = 600_000
const START_MS = 120_000
vi.setConfig({ testTimeout: 2 * START_MS })

const { folder, nodes } = inject('application')!
const NEXT = join(folder, 'node_modules', 'next', 'dist', 'bin', 'next')

type Environment = Readonly<Record<string, string>>

function build(bundler: string, env: Environment): void {
  const args = [NEXT, 'build', `--${bundler}`]
  const variables = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', ...env, NODE_ENV: 'production' }
  const options = { cwd: folder, encoding: 'utf8', env: variables } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options)
  expect(status, stdout + stderr).toBe(0)
  // A driver that is not installed is none of the application's business.
  expect(stdout + stderr).not.toMatch(/Module not found|Critical dependency/)
}

describe.each(['turbopack', 'webpack'])('built by %s', (bundler) => {
  const env = { DIST: `.next-${bundler}` }
  beforeAll(() => build(bundler, env), BUILD_MS)

  describePostgres('with all defaults', () => {
    test.each(NODES)('keeps a history under Node %s', async (line) => {
      const port = await freePort()
      const args = [NEXT, 'start', '-H', '127.0.0.1', '-p', String(port)]
      await keepsHistory(line, args, { cwd: folder, port, env })
    })
  })
})

describe('built for a container', () => {
  let container: string

  beforeAll(() => {
    build('turbopack', { DIST: '.next-standalone', STANDALONE: '1' })
    container = mkdtempSync(join(tmpdir(), 'everthread-container-'))
    const made = join(folder, '.next-standalone', 'standalone')
    cpSync(made, container, { recursive: true, verbatimSymlinks: true })
  }, BUILD_MS)
  afterAll(() => rmSync(container, { recursive: true, force: true }))

  describePostgres('as docs/deploying.md has it', () => {
    test.each(NODES)('keeps a history under Node %s', async (line) => {
      const port = await freePort()
      const env = { PORT: String(port), HOSTNAME: '127.0.0.1' }
      await keepsHistory(line, ['server.js'], { cwd: container, port, env })
    })
  })
})

interface Start {
  readonly cwd: string
  readonly port: number
  readonly env: Environment
}

async function keepsHistory(
  line: string,
  args: string[],
  { cwd, port, env }: Start,
): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'everthread-next-'))
  const places = {
    PRIMARY: await freshDatabase(),
    BACKUP: `sqlite:${data}/backup.db`,
    WAL: `file:${data}/wal`,
  }
  const variables = { ...process.env, ...env, ...places, NODE_ENV: 'production' }
  let output = ''
  const child = spawn(nodes[line]!, args, {
    cwd,
    env: variables,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  onTestFinished(() => {
    child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  })
  await expect.poll(() => output, { timeout: START_MS }).toContain('Ready in')
  const seen = [await post(port, 'one'), await post(port, 'two')]
  const well = { copies: expect.toBeOneOf([2, 3]), places: ['postgresql', 'sqlite'], warnings: [] }
  expect(seen, output).toEqual([
    { contents: ['one'], ...well },
    { contents: ['one', 'two'], ...well },
  ])
}

async function post(port: number, content: string): Promise<unknown> {
  const body = JSON.stringify({ content })
  const answer = await fetch(`http://127.0.0.1:${port}/api/chat`, { method: 'POST', body })
  return answer.ok ? await answer.json() : { status: answer.status, text: await answer.text() }
}
