import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, vi } from 'vitest'
import { mastraSuite } from '../../test/support/mastra-suite.ts'
import { openChatHistory } from '../chat/open-chat-history.ts'
import { EverthreadMemory } from './mastra.ts'

vi.mock('@mastra/core/storage', async () => await import('../../test/support/mastra-storage.ts'))

const folder = mkdtempSync(join(tmpdir(), 'everthread-mastra-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PRIMARIES = { memory: 'memory:', SQLite: `sqlite:${join(folder, 'primary.db')}` }

describe.each(Object.entries(PRIMARIES))('Mastra on %s', (_, primary) => {
  mastraSuite(
    () => openChatHistory({ primary, backup: 'memory:', wal: 'memory:' }),
    (history) => new EverthreadMemory(history),
  )
})
