// A process that saves content piece by piece, and dies when so many were taken, or once all was acknowledged.
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { PIECES, pieceOf } from './content-pieces.ts'

const [options, at] = process.argv.slice(3)
const history = await openChatHistory(JSON.parse(options!) as ChatHistoryOptions)

function* pieces(): Generator<Uint8Array> {
  for (let i = 0; i < PIECES; i++) {
    if (i === Number(at)) process.kill(process.pid, 'SIGKILL')
    yield pieceOf(i)
  }
}

const { ref } = await history.saveContent(pieces())
await history.saveMessage('c', { role: 'user', content: [{ type: 'file', content: ref }] })
process.stdout.write(ref)
process.kill(process.pid, 'SIGKILL')
