// A process that clears a conversation that forks share, or edits and resends, and dies in the middle of its writes.
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

const [options, work, step] = process.argv.slice(3)
const history = await openChatHistory(JSON.parse(options!) as ChatHistoryOptions)
const texts = Array.from({ length: 450 }, (_, i) => `said ${i}`)
await history.saveMessages(
  'c',
  texts.map((content, i) => ({ id: `m${i}`, role: 'user', content }) as const),
)
await history.fork('c', { from: 'm420', as: 'f' })
await history.fork('f', { from: 'm300', as: 'g' })
process.stdout.write('saved\n')
// The writes of the work are counted; after so many the process is gone.
let left = Number(step)
const { store } = history
const merge = store.mergeGroup.bind(store)
store.mergeGroup = async (operations) => {
  if (left-- === 0) process.kill(process.pid, 'SIGKILL')
  return await merge(operations)
}
const message = { id: 'again', role: 'user', content: 'again' } as const
if (work === 'clear') await history.clearHistory('c')
else await history.editAndResend('c', 'm10', message)
process.stdout.write('done\n')
await history.close()
