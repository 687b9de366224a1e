// Goal: kill -9 of the process that writes a message takes at most what the last 200 ms brought; the rest stays
// readable in every process, is incomplete once the lease has ended, and another process goes on.
// Method: a real process is killed in mid-stream while two others follow it. It says how late its timers were and
// how long saves took, for a machine with other work to do is slower than any limit.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory, type ChatHistory } from '../../src/index.ts'
import { startPostgres } from '../support/postgres-server.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const WRITER = fileURLToPath(new URL('./stream-writer.ts', import.meta.url))
/** Deltas before the kill. */
const DELTAS = 300
/** Deltas wait so long for others. */
const COALESCE_MS = 150

interface Places {
  readonly primary: string
  readonly backup: string
  readonly directory: string
}

/** What the writer had appended when it died, and that long before. */
interface Killed {
  readonly length: number
  readonly lengthBefore: number
}

async function killWriter({ primary, backup, directory }: Places): Promise<Killed> {
  const child = spawn(
    process.execPath,
    [RUN, WRITER, primary, backup, `file:${join(directory, 'wal-writer')}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close')
  const seen: { readonly at: number; readonly length: number }[] = []
  let lateMs = 0
  let saveMs = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [at, length, late, save] = line.split(' ').map(Number)
    if (length === undefined) continue
    seen.push({ at: at!, length })
    lateMs = Math.max(lateMs, late!)
    saveMs = Math.max(saveMs, save!)
    if (seen.length === DELTAS) child.kill('SIGKILL')
  }
  await ended
  const last = seen.at(-1)!
  // The save that was under way, and the one of what came meanwhile.
  const lossMs = COALESCE_MS + lateMs + 2 * saveMs
  const before = seen.findLast(({ at }) => at <= last.at - lossMs)
  return { length: last.length, lengthBefore: before?.length ?? 0 }
}

/** All that a reader is given, until nobody writes any more. */
async function follow(history: ChatHistory): Promise<{ text: string; status: string | undefined }> {
  let text = ''
  for (;;) {
    try {
      for await (const event of history.readStream({ conversationId: 'c', id: 'm', pollMs: 20 })) {
        if (event.type === 'delta')
          text += event.deltas.filter((delta) => typeof delta === 'string').join('')
        else return { text, status: event.message.status }
      }
    } catch (error) {
      // Before it begins; or a database that is busy answers nobody in time.
      const codes = ['NOT_FOUND', 'UNAVAILABLE', 'TIMEOUT']
      expect(codes).toContain((error as { code?: string }).code)
      text = ''
    }
  }
}

function textOf(length: number): string {
  let text = ''
  for (let i = 0; text.length < length; i++) text += `${i} `
  return text
}

async function killAndLook(places: Places): Promise<void> {
  const { primary, backup, directory } = places
  const open = async (name: string): Promise<ChatHistory> => {
    const wal = `file:${join(directory, `wal-${name}`)}`
    const history = await openChatHistory({ primary, backup, wal, logger: false })
    onTestFinished(() => history.close())
    return history
  }
  const readers = [await open('one'), await open('two')]
  const following = readers.map(follow)
  const { length, lengthBefore } = await killWriter(places)
  expect(lengthBefore).toBeGreaterThan(0)
  const followed = await Promise.all(following)
  for (const [i, { text, status }] of followed.entries()) {
    expect(status).toBe('incomplete')
    expect(textOf(length + 10)).toContain(text)
    expect(text.length).toBeGreaterThanOrEqual(lengthBefore)
    expect(text.length).toBeLessThanOrEqual(length + 10)
    expect(await readers[i]!.getMessage('c', 'm')).toMatchObject({ content: text, status })
  }
  const { text } = followed[0]!
  const stream = await readers[1]!.resumeMessage('c', 'm')
  await stream.append('the end')
  await stream.finish()
  for (const reader of readers) {
    const whole = { content: `${text}the end`, status: 'completed' }
    expect(await reader.getMessage('c', 'm')).toMatchObject(whole)
  }
}

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-stream-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test('killed in mid-stream on SQLite', async () => {
  const directory = await folder()
  const primary = `sqlite:${join(directory, 'primary.db')}`
  await killAndLook({ primary, backup: `sqlite:${join(directory, 'backup.db')}`, directory })
})

test('killed in mid-stream on PostgreSQL', async () => {
  const directory = await folder()
  const server = await startPostgres()
  onTestFinished(() => server.stop())
  const backup = `sqlite:${join(directory, 'backup.db')}`
  await killAndLook({ primary: server.url, backup, directory })
})
