// Goal: who operates a store forks conversations, and edits and deletes single messages, and branches of imports are
// forks that show the whole of what was said.
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openChatHistory } from '../../src/index.ts'
import { runCliHere, type CliRun } from '../support/run-cli.ts'
import { ROOT } from '../support/source-files.ts'

let cwd = ''
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'everthread-cli-'))
})
afterEach(async () => {
  await rm(cwd, { recursive: true, force: true })
})

async function run(...args: readonly string[]): Promise<CliRun> {
  const variables = {
    EVERTHREAD_PRIMARY_URL: `sqlite:${join(cwd, 'p.db')}`,
    EVERTHREAD_BACKUP_URL: `sqlite:${join(cwd, 'b.db')}`,
    EVERTHREAD_WAL: `file:${join(cwd, 'wal')}`,
  }
  return await runCliHere(args, { cwd, variables })
}

async function shown(id: string): Promise<unknown[]> {
  const { stdout } = await run('show', id, '--json')
  const { messages } = JSON.parse(stdout) as { messages: { content: unknown }[] }
  return messages.map(({ content }) => content)
}

async function begin(): Promise<void> {
  await using history = await openChatHistory({
    primary: `sqlite:${join(cwd, 'p.db')}`,
    backup: `sqlite:${join(cwd, 'b.db')}`,
    wal: `file:${join(cwd, 'wal')}`,
  })
  await history.saveMessages('c', [
    { id: 'a', role: 'user', content: 'a', name: 'Ann' },
    { id: 'b', role: 'assistant', content: 'b' },
  ])
}

test('fork, edit, delete, and erase with what becomes of forks', async () => {
  await begin()
  expect(await run('fork', 'c', '--from', 'a', '--as', 'f')).toMatchObject({
    code: 0,
    stdout: 'Forked "c" behind "a", as "f".\n',
  })
  expect((await run('message', 'edit', 'c', 'a', '--content', 'A')).code).toBe(2)
  expect((await run('message', 'delete', 'c', 'b')).code).toBe(2)
  expect(await shown('c')).toEqual(['a', 'b'])
  const edited = await run('message', 'edit', 'c', 'a', '--content', 'A', '--yes')
  expect(edited).toMatchObject({ code: 0, stdout: 'Edited "a".\n' })
  expect((await run('message', 'delete', 'c', 'b', '--yes')).code).toBe(0)
  expect(await shown('c')).toEqual(['A'])
  expect((await run('show', 'c', '--json')).stdout).toContain('"name":"Ann"')
  expect(await shown('f')).toEqual(['a'])
  expect((await run('message', 'edit', 'c', 'none', '--content', 'A', '--yes')).code).toBe(1)
  expect(await run('erase', 'c', '--yes')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('"f"'),
  })
  expect((await run('erase', 'c', '--yes', '--forks', 'keep')).code).toBe(0)
  expect(await shown('f')).toEqual(['a'])
})

test('branches of an import are forks, also when it is repeated, and exports have them whole', async () => {
  await copyFile(join(ROOT, 'test/imports/chatgpt.json'), join(cwd, 'chatgpt.json'))
  for (let i = 0; i < 2; i++) {
    expect((await run('import', join(cwd, 'chatgpt.json'))).code).toBe(0)
  }
  const { stdout } = await run('list', '--json')
  const { conversations } = JSON.parse(stdout) as { conversations: { conversationId: string }[] }
  const [branch] = conversations.filter(({ conversationId }) => conversationId.includes('/branch/'))
  const [main] = conversations.filter(({ conversationId }) => !conversationId.includes('/branch/'))
  const [whole, other] = [await shown(main!.conversationId), await shown(branch!.conversationId)]
  expect(other[0]).toEqual(whole[0])
  expect(other).not.toEqual(whole)
  for (const from of [[], ['--from', 'backup']]) {
    const exported = await run('export', '--conversation', branch!.conversationId, ...from)
    const { messages } = JSON.parse(exported.stdout) as { messages: { content: unknown }[] }
    expect(messages.map(({ content }) => content)).toEqual(other)
  }
})

test('an export of one database has what a fork shares of a message that is being written', async () => {
  await begin()
  const history = await openChatHistory({
    primary: `sqlite:${join(cwd, 'p.db')}`,
    backup: `sqlite:${join(cwd, 'b.db')}`,
    wal: `file:${join(cwd, 'wal')}`,
  })
  try {
    const stream = await history.startMessage('c', { role: 'assistant', id: 'm' })
    await stream.append('Hel')
    await stream.flush()
    await history.fork('c', { as: 'f' })
    const { stdout } = await run('export', '--from', 'primary', '--format', 'everthread')
    expect(stdout.split('"Hel"')).toHaveLength(3)
    expect(stdout.split('in_progress')).toHaveLength(3)
    expect(stdout).not.toContain('$stream')
  } finally {
    await history.close()
  }
})
