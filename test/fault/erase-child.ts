// A process that saves two conversations, erases one, and dies at the named failpoint on the way.
import { FAILPOINTS } from '../../src/core/failpoint.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { CANARY, KEPT_MESSAGES } from './erase-options.ts'

const [options, failpoint] = process.argv.slice(3)
if (!FAILPOINTS.some((name) => name === failpoint)) throw new Error(`no failpoint ${failpoint}`)
let armed = false
const hit = (name: string): void => {
  if (armed && name === failpoint) process.kill(process.pid, 'SIGKILL')
}
const history = await openChatHistory({
  ...(JSON.parse(options!) as ChatHistoryOptions),
  env: nodeEnv({ failpoints: { hit } }),
})
for (let i = 0; i < KEPT_MESSAGES; i++) {
  await history.saveMessage('kept', { role: 'user', content: `kept ${i}` })
  const { id } = await history.saveMessage('doomed', { role: 'user', content: `${CANARY} ${i}` })
  if (i % 5 === 0) {
    // The first version stays in the databases beside the one that replaced it.
    await history.updateMessage('doomed', id, { role: 'user', content: `second ${CANARY} ${i}` })
  }
  if (i % 7 === 0) await history.deleteMessage('doomed', id)
}
// Longer than a page of a database: it lies in pages of its own.
await history.saveMessage('doomed', { role: 'user', content: `${CANARY} `.repeat(5_000) })
process.stdout.write('saved\n')
armed = true
await history.eraseConversation('doomed', { deadlineMs: 20_000 })
process.stdout.write('erased\n')
await history.close()
