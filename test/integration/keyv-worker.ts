/* A process that uses Keyv without any listener of errors, as most do, and goes on while its servers are killed. */
import { once } from 'node:events'
import Keyv from 'keyv'
import { EverthreadKeyv } from '../../src/adapters/keyv.ts'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'

const options = JSON.parse(process.argv[3]!) as ChatHistoryOptions
const history = await openChatHistory(options)
const keyv = new Keyv({ store: new EverthreadKeyv(history) })
console.log(await keyv.set('key', 'value'))
await once(process.stdin, 'data')
console.log(await keyv.get('key'), await keyv.set('key', 'other'))
await history.close()
process.stdin.destroy()
