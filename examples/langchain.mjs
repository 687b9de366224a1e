// A chain of LangChain that remembers: `npm ci && npm run build`, then `node examples/langchain.mjs`. The model is one of
// LangChain's for tests; nothing is asked over the network.
import { RunnableWithMessageHistory } from '@langchain/core/runnables'
import { FakeListChatModel } from '@langchain/core/utils/testing'
import { HumanMessage } from '@langchain/core/messages'
import { openChatHistory } from 'everthread'
import { EverthreadChatMessageHistory } from 'everthread/langchain'

const history = await openChatHistory({
  primary: process.env['PRIMARY_URL'] ?? 'memory:',
  backup: process.env['BACKUP_URL'] ?? 'memory:',
  wal: process.env['WAL_URL'] ?? 'memory:',
})

const model = new FakeListChatModel({ responses: ['It rains in Oslo.', 'Take an umbrella.'] })
const chain = new RunnableWithMessageHistory({
  runnable: model,
  getMessageHistory: (sessionId) => new EverthreadChatMessageHistory(history, { sessionId }),
})

try {
  const config = { configurable: { sessionId: 'user-7' } }
  for (const text of ['Is it raining in Oslo?', 'What should I take?']) {
    const { content } = await chain.invoke([new HumanMessage(text)], config)
    console.log('answer:', content)
  }
  const messages = new EverthreadChatMessageHistory(history, { sessionId: 'user-7' })
  const kept = await messages.getMessages()
  console.log('kept:', kept.map(({ type, content }) => `${type} ${content}`).join(' | '))
  console.log('as messages of everthread:', await history.countMessages('user-7'))
} finally {
  await history.close()
}
