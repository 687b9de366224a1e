// A graph that outlives its process and its database: `npm ci && npm run build`, then `node examples/langgraph.mjs`.
// It asks a person before it sends, and goes on in what could be another process. Everything is kept below ./data.
import { AIMessage, HumanMessage } from '@langchain/core/messages'
import { FakeListChatModel } from '@langchain/core/utils/testing'
import {
  Command,
  END,
  INTERRUPT,
  interrupt,
  isInterrupted,
  MessagesAnnotation,
  START,
  StateGraph,
} from '@langchain/langgraph'
import { openChatHistory } from 'everthread'
import { EverthreadSaver, EverthreadStore } from 'everthread/langgraph'

const model = new FakeListChatModel({ responses: ['Dear Ann, the boat leaves at nine.'] })

/** @param {import('everthread').ChatHistory} history */
function mailer(history) {
  return new StateGraph(MessagesAnnotation)
    .addNode('draft', async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addNode('send', async ({ messages }, { store }) => {
      const isGood = interrupt(`send "${messages.at(-1)?.text}"?`)
      await store?.put(['letters'], 'ann', { sent: isGood })
      return { messages: [new AIMessage(isGood ? 'It is sent.' : 'It is not sent.')] }
    })
    .addEdge(START, 'draft')
    .addEdge('draft', 'send')
    .addEdge('send', END)
    .compile({ checkpointer: new EverthreadSaver(history), store: new EverthreadStore(history) })
}

async function open() {
  return await openChatHistory({
    primary: process.env['PRIMARY_URL'] ?? 'sqlite:./data/primary.db',
    backup: process.env['BACKUP_URL'] ?? 'sqlite:./data/backup.db',
    wal: process.env['WAL_URL'] ?? 'file:./data/wal',
  })
}

const config = { configurable: { thread_id: `letter ${Date.now()}` } }

const first = await open()
const asked = await mailer(first.forTenant('user-7')).invoke(
  { messages: [new HumanMessage('Write to Ann.')] },
  config,
)
if (isInterrupted(asked)) console.log('asks:', asked[INTERRUPT][0]?.value)
await first.close()

const second = await open()
try {
  const history = second.forTenant('user-7')
  const { messages } = await mailer(history).invoke(new Command({ resume: true }), config)
  console.log('answers:', messages.at(-1)?.text)
  const letter = await new EverthreadStore(history).get(['letters'], 'ann')
  console.log('remembers:', letter?.value)

  const saver = new EverthreadSaver(history)
  const thread = config.configurable.thread_id
  console.log('removed:', (await saver.prune(thread, { last: 1 })).removed, 'older checkpoints')
  await saver.deleteThread(thread)
  console.log('left:', await saver.getTuple(config))
} finally {
  await second.close()
}
