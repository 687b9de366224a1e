import { MemorySession } from '@openai/agents-core'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { compareSessions } from '../../test/support/agent-session-suite.ts'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../index.ts'
import { EverthreadSession } from './openai-agents.ts'

const SEED = Number(process.env['ADAPTER_SEED'] ?? 17)
const RUNS = Number(process.env['ADAPTER_RUNS'] ?? 40)

async function open(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  const places = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
  const history = await openChatHistory({ ...places, ...options })
  onTestFinished(() => history.close())
  return history
}

test('random programs end as in MemorySession', async () => {
  expect(await compareSessions(await open(), RUNS, SEED)).toBeGreaterThan(RUNS)
})
