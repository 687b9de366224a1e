// Goal: what a logger cannot take is no failure of the store. Method: a logger that throws, and a backup
// that is out, of which it is told.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory } from '../../src/index.ts'
import { freePort } from '../support/free-port.ts'

test('a store whose logger fails opens, saves and reads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'everthread-logger-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const failing = (): never => {
    throw new Error('the stream of the logger has ended')
  }
  const history = await openChatHistory({
    primary: 'memory:',
    backup: `postgresql://127.0.0.1:${await freePort()}/none`,
    wal: `file:${folder}`,
    logger: { debug: failing, info: failing, warn: failing, error: failing },
    drainTimeout: 100,
  })
  await history.saveMessage('c', { role: 'user', content: 'x' })
  expect((await history.getHistory('c')).messages).toHaveLength(1)
  await history.close()
})
