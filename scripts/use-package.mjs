// A program that uses the installed package as a reader of README.md does: it opens a store, saves,
// reads, closes, and finds everything when it opens it again. `test-nodes.mjs` runs it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openChatHistory } from 'everthread'

const folder = mkdtempSync(join(tmpdir(), 'everthread-use-'))
const options = {
  primary: `sqlite:${join(folder, 'primary.db')}`,
  backup: `sqlite:${join(folder, 'backup.db')}`,
  wal: `file:${join(folder, 'wal')}`,
}

async function contents(history) {
  const { messages, complete } = await history.getHistory('conversation')
  assert.equal(complete, true)
  return messages.map(({ content }) => content)
}

try {
  const first = await openChatHistory(options)
  for (const content of ['one', 'two', 'three']) {
    const { copies } = await first.saveMessage('conversation', { role: 'user', content })
    assert.ok(copies.length >= 2, `copies: ${copies.join()}`)
  }
  assert.deepEqual(await contents(first), ['one', 'two', 'three'])
  await first.flush()
  await first.close()
  const second = await openChatHistory(options)
  assert.deepEqual(await contents(second), ['one', 'two', 'three'])
  const { missingInPrimary, missingInBackup, differing } = await second.verify({ deep: true })
  assert.deepEqual([missingInPrimary, missingInBackup, differing], [0, 0, 0])
  await second.clearHistory('conversation')
  assert.deepEqual(await contents(second), [])
  await second.close()
  console.log('works')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
