// Goal: `everthread follow` shows the latest messages, then what comes, and ends with Ctrl-C. Method: the command
// in this process, beside a store that writes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { runCliHere, type CliRun } from '../support/run-cli.ts'

interface Following {
  readonly history: ChatHistory
  readonly output: () => string
  readonly end: () => Promise<CliRun>
}

async function follow(...args: string[]): Promise<Following> {
  const cwd = await mkdtemp(join(tmpdir(), 'everthread-follow-'))
  onTestFinished(() => rm(cwd, { recursive: true, force: true }))
  const places = {
    primary: `sqlite:${join(cwd, 'primary.db')}`,
    backup: `sqlite:${join(cwd, 'backup.db')}`,
    wal: `file:${join(cwd, 'wal')}`,
  }
  const history = await openChatHistory({ ...places, logger: false })
  onTestFinished(() => history.close())
  for (const content of ['one', 'two', 'three']) {
    await history.saveMessage('c', { id: content, role: 'user', content })
  }
  const stop = new AbortController()
  let text = ''
  const options = Object.entries(places).flatMap(([name, url]) => [`--${name}`, url])
  const running = runCliHere(['follow', 'c', ...args, ...options], {
    cwd,
    interrupt: stop.signal,
    onOutput: (output) => (text = output),
  })
  const end = async (): Promise<CliRun> => {
    stop.abort(130)
    return await running
  }
  return { history, output: () => text, end }
}

test('shows the latest messages and each change, until Ctrl-C', async () => {
  const { history, output, end } = await follow('--last', '2')
  await eventually(() => expect(output()).toContain('three'))
  expect(output()).not.toContain('one')
  await history.saveMessage('c', { id: 'four', role: 'user', content: 'Hello \u001b[31m' })
  await eventually(() => expect(output()).toContain('Hello'))
  expect(output()).not.toContain('\u001b[31m')
  await history.updateMessage('c', 'four', { role: 'user', content: 'Good day' })
  await eventually(() => expect(output()).toContain('Good day'))
  await history.deleteMessage('c', 'four')
  await eventually(() => expect(output()).toContain('removed  four'))
  await history.clearHistory('c')
  await eventually(() => expect(output()).toContain('cleared'))
  expect((await end()).code).toBe(130)
})

test('with --json prints a line for each change, and goes on with a cursor', async () => {
  const { history, output, end } = await follow('--json')
  await eventually(() => expect(output()).toContain('ready'))
  await history.saveMessage('c', { id: 'four', role: 'user', content: 'four' })
  await eventually(() => expect(output()).toContain('four'))
  const lines = output().trim().split('\n')
  const changes = lines.map((line) => JSON.parse(line) as { type: string; cursor: string })
  expect(changes.map(({ type }) => type)).toEqual(['ready', 'message'])
  expect((await end()).code).toBe(130)
  const wrong = await follow('--since', 'nonsense')
  expect((await wrong.end()).stderr).toContain('since must be a cursor')
})
