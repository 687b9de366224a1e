/* A process that works on the state of a bot in the store that its argument describes, once it is told to, and says what it got. */
import { once } from 'node:events'
import { EverthreadChatState } from '../../src/adapters/chat-sdk.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { workOnState } from '../support/chat-state-work.ts'

const options = JSON.parse(process.argv[3]!) as ChatHistoryOptions
const history = await openChatHistory(options)
const state = new EverthreadChatState(history)
console.log('ready')
await once(process.stdin, 'data')
console.log(JSON.stringify(await workOnState(history, state, 'worker')))
await history.close()
process.stdin.destroy()
