// Goal: whatever a process dies at while it clears what forks share, or edits and resends, forks have all their
// messages, and the call can be repeated.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const CHILD = fileURLToPath(new URL('./branches-child.ts', import.meta.url))

async function killed(work: string, step: number): Promise<ChatHistory> {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-branches-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const options: ChatHistoryOptions = {
    primary: `sqlite:${join(folder, 'primary.db')}`,
    backup: `sqlite:${join(folder, 'backup.db')}`,
    wal: `file:${join(folder, 'wal')}`,
  }
  const args = [RUN, CHILD, JSON.stringify(options), work, `${step}`]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  expect(signal, output).toBe('SIGKILL')
  expect(output).toBe('saved\n')
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return history
}

async function ids(history: ChatHistory, id: string): Promise<string[]> {
  const found: string[] = []
  for await (const message of history.messages(id)) found.push(message.id)
  return found
}

function named(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m${i}`)
}

for (const step of [0, 1, 2]) {
  test(`a process dies at write ${step} of a clear`, async () => {
    const history = await killed('clear', step)
    expect(await ids(history, 'c')).toEqual(named(450))
    expect(await ids(history, 'f')).toEqual(named(421))
    expect(await ids(history, 'g')).toEqual(named(301))
    await history.clearHistory('c')
    expect(await ids(history, 'c')).toEqual([])
    expect(await ids(history, 'f')).toEqual(named(421))
    expect(await ids(history, 'g')).toEqual(named(301))
  })
}

for (const step of [0, 1, 3]) {
  test(`a process dies at write ${step} of an edit that is sent again`, async () => {
    const history = await killed('resend', step)
    expect(await ids(history, 'c')).toEqual(named(450))
    const message = { id: 'again', role: 'user', content: 'again' } as const
    const first = await history.editAndResend('c', 'm10', message)
    const second = await history.editAndResend('c', 'm10', message)
    expect(second).toMatchObject({ kept: first.kept, position: first.position })
    expect(await ids(history, 'c')).toEqual([...named(10), 'again'])
    expect(await ids(history, first.kept)).toEqual(named(450))
    expect(await ids(history, 'f')).toEqual(named(421))
    expect(await ids(history, 'g')).toEqual(named(301))
  })
}
