import { afterAll, beforeAll, describe } from 'vitest'
import { openChatHistory, type ChatHistory } from '../index.ts'
import { checkpointerSuite } from '../../test/support/checkpointer-suite.ts'

describe('the suite of the framework', () => {
  let history: ChatHistory
  beforeAll(async () => {
    history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })
  })
  afterAll(() => history.close())
  checkpointerSuite('memory', () => history)
})
