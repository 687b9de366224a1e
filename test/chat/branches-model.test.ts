// Goal: a fork is as good as a copy of what it shares, whatever becomes of the two.
import { onTestFinished } from 'vitest'
import { openChatHistory } from '../../src/index.ts'
import { branchesSuite } from '../support/branches-suite.ts'

branchesSuite({
  name: 'in memory',
  open: async () => {
    const options = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
    const history = await openChatHistory(options)
    onTestFinished(() => history.close())
    return history
  },
  seeds: [1, 2, 3, 4],
  steps: 60,
})
