// Goal: a search finds items of providers that have a type in place of a role, as it finds messages.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openChatHistory } from '../../src/index.ts'

test('items without a role are found by their content, and results of tools by their output', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-search-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  await using history = await openChatHistory({
    primary: { type: 'sqlite', path: join(directory, 'primary.db'), search: true },
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
    logger: false,
  })
  await history.saveItems('c', [
    { id: 'note', type: 'note', content: 'a harbour' },
    {
      id: 'result',
      type: 'function_call_output',
      call_id: 'call',
      output: 'the harbour is closed',
    },
    { id: 'question', role: 'user', content: 'Which harbour?' },
  ])
  const { hits } = await history.search({ text: 'harbour' })
  const ids = hits.map((hit) => ('message' in hit ? hit.message.id : undefined))
  expect(new Set(ids)).toEqual(new Set(['note', 'question', 'result']))
  const { hits: ofUsers } = await history.search({ text: 'harbour', role: 'user' })
  expect(ofUsers).toHaveLength(1)
})
