// Goal: a process that dies while content is saved leaves nothing to be seen, and what it left is cleaned; one
// that dies right behind the acknowledgement leaves all of it. Method: real processes, SQLite and a log in files.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { allPieces, PIECES } from './content-pieces.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const CHILD = fileURLToPath(new URL('./content-child.ts', import.meta.url))

interface Killed {
  readonly history: ChatHistory
  /** What the process wrote before it died. */
  readonly output: string
}

async function killedAt(at: number): Promise<Killed> {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-content-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const options = {
    primary: `sqlite:${join(folder, 'primary.db')}`,
    backup: `sqlite:${join(folder, 'backup.db')}`,
    wal: `file:${join(folder, 'wal')}`,
  }
  const child = spawn(process.execPath, [RUN, CHILD, JSON.stringify(options), `${at}`])
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  const signal = await new Promise((resolve) => child.on('close', (_code, name) => resolve(name)))
  expect(signal).toBe('SIGKILL')
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  return { history, output }
}

test.each([1, PIECES / 2, PIECES - 1])('killed when %i pieces were taken', async (at) => {
  const { history } = await killedAt(at)
  await history.flush()
  expect(await history.store.list('content/')).toEqual([])
  expect(await history.cleanContent()).toMatchObject({ unfinished: 0 })
  const left = await history.store.list('chunk/')
  await history.store.pause(2)
  const { unfinished } = await history.cleanContent({ graceMs: 0 })
  expect(unfinished).toBe(left.length)
  expect(await history.store.list('chunk/')).toEqual([])
  // Saved again it is whole.
  const { ref } = await history.saveContent(allPieces())
  expect(Buffer.compare(await (await history.readContent(ref)).bytes(), allPieces())).toBe(0)
})

test('killed right behind the acknowledgement', async () => {
  const { history, output: ref } = await killedAt(-1)
  expect((await history.getHistory('c')).messages).toMatchObject([{ content: [{ content: ref }] }])
  expect(Buffer.compare(await (await history.readContent(ref)).bytes(), allPieces())).toBe(0)
  expect(await history.cleanContent({ graceMs: 0 })).toMatchObject({ removed: 0, unfinished: 0 })
})
