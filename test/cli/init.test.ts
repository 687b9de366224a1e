// Goal: `everthread init` writes a configuration that works, for the command line and for a program, and
// nothing else: no secret, nothing over a file that is there, nothing that its servers refuse.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openChatHistory, type ChatHistoryOptions } from '../../src/chat/open-chat-history.ts'
import { freePort } from '../support/free-port.ts'
import { runCliHere, type CliRun } from '../support/run-cli.ts'

const FILE = 'everthread.config.mjs'

let cwd: string
let home: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'everthread-init-'))
  // Paths in a configuration are seen from the folder of the process.
  home = process.cwd()
  process.chdir(cwd)
})
afterEach(async () => {
  process.chdir(home)
  vi.unstubAllEnvs()
  await rm(cwd, { recursive: true })
})

type Variables = Readonly<Record<string, string>>

function run(args: readonly string[], variables: Variables = {}): Promise<CliRun> {
  return runCliHere(args, { cwd, variables })
}

function text(name = FILE): string {
  return readFileSync(join(cwd, name), 'utf8')
}

async function settingsOf(name = FILE): Promise<ChatHistoryOptions> {
  const url = `${pathToFileURL(join(cwd, name)).href}?${Math.random()}`
  return ((await import(url)) as { default: ChatHistoryOptions }).default
}

test('without a terminal it asks nothing: the defaults are written down, and the servers tried', async () => {
  const { code, stdout, stderr } = await run(['init'])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('Wrote everthread.config.mjs.')
  expect(stdout).toMatch(/primary {2}ok/)
  // Nothing but the file was made.
  expect(readdirSync(cwd)).toEqual([FILE])
  expect(await settingsOf()).toEqual({
    primary: 'sqlite:./data/primary.db',
    backup: 'sqlite:./data/backup.db',
    wal: 'file:./data/wal',
  })
})

test('a program opens the store with it, and the command line sees the same messages', async () => {
  expect((await run(['init', '--tenant', "o'neill\\", '--write', 'dual-write'])).code).toBe(0)
  const history = await openChatHistory(await settingsOf())
  await history.saveMessage('c1', { role: 'user', content: 'Hello' })
  await history.close()
  const { code, stdout } = await run(['show', 'c1', '--json'])
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { messages: [{ content: 'Hello' }] }])
})

test('what a variable has stays there, with its secret; one that is missing is an error', async () => {
  const secret = 'hunter2hunter2'
  const url = `redis://:${secret}@127.0.0.1:${await freePort()}`
  const variables = {
    EVERTHREAD_CACHE_URL: url,
    EVERTHREAD_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
  }
  const { code, stdout, stderr } = await run(['init', '--no-check'], variables)
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('It reads cache from EVERTHREAD_CACHE_URL')
  expect(text()).not.toMatch(/hunter2|k1:/)
  await expect(settingsOf()).rejects.toThrow('EVERTHREAD_CACHE_URL is not set')
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  expect(await settingsOf()).toMatchObject({
    cache: url,
    read: 'cache-enhanced',
    encryption: { keys: variables.EVERTHREAD_ENCRYPTION_KEYS },
  })
  writeFileSync(join(cwd, 'secret'), `${url}\n`)
  vi.stubEnv('EVERTHREAD_CACHE_URL', '')
  vi.stubEnv('EVERTHREAD_CACHE_URL_FILE', join(cwd, 'secret'))
  expect(await settingsOf()).toMatchObject({ cache: url })
})

test('a server that cannot be reached: nothing is written, unless --no-check says so', async () => {
  const primary = `postgresql://postgres@127.0.0.1:${await freePort()}/app`
  const { code, stdout, stderr } = await run(['init', '--primary', primary])
  expect(code).toBe(4)
  expect(stdout).toContain('ECONNREFUSED')
  expect(stderr).toContain('Nothing was written')
  expect(readdirSync(cwd)).toEqual([])
  expect((await run(['init', '--primary', primary, '--no-check'])).code).toBe(0)
  expect(await settingsOf()).toMatchObject({ primary })
})

test.each([
  [['--primary', 'postgresql://u:secret@h/d'], 'EVERTHREAD_PRIMARY_URL'],
  [['--primary', 'mysql://h/d'], '--primary must be'],
  [['--read', 'failovr'], '--read'],
  [['--output', 'x.yaml'], 'must end in .mjs or .json'],
])('%j is refused before anything is tried', async (args, message) => {
  const { code, stdout, stderr } = await run(['init', ...args])
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
  expect(stderr).not.toContain('u:secret')
  expect(readdirSync(cwd)).toEqual([])
})

test.each([
  [FILE, []],
  ['everthread.config.json', []],
  ['other.mjs', ['--output', 'other.mjs']],
])('%s that is there stays as it is', async (name, args) => {
  writeFileSync(join(cwd, name), 'mine')
  const { code, stderr } = await run(['init', ...args])
  expect([code, stderr]).toEqual([2, expect.stringContaining(`${name} is there already`)])
  expect([text(name), readdirSync(cwd)]).toEqual(['mine', [name]])
})

test('as JSON: without secrets, and the command line reads it', async () => {
  const variables = { EVERTHREAD_TENANT: 'acme' }
  const refused = await run(['init', '--output', 'everthread.config.json'], variables)
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('ends in .mjs')])
  const args = ['init', '--json', '--output', 'everthread.config.json', '--tenant', 'acme']
  const { code, stdout } = await run(args, variables)
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    { file: 'everthread.config.json', variables: [], findings: expect.any(Array) },
  ])
  expect(JSON.parse(text('everthread.config.json'))).toMatchObject({ tenant: 'acme' })
  expect((await run(['list'])).code).toBe(0)
  expect(existsSync(join(cwd, 'data/primary.db'))).toBe(true)
})

test('a field that is there and undefined is a mistake', async () => {
  writeFileSync(join(cwd, FILE), 'export default { primary: process.env.NO_SUCH_VARIABLE }')
  const { code, stderr } = await run(['list'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('primary is undefined')])
})
