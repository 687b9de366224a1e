// LangGraph: a checkpoint holds the state, here the list of messages. A save is a checkpoint of a thread
// with one message; filling makes one checkpoint with all of them, and reading fetches it whole.
import { AIMessage } from '@langchain/core/messages'
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint'
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres'
import pg from 'pg'

export const title = 'LangGraph PostgresSaver.put, history of 1'
export const packages = ['@langchain/langgraph-checkpoint-postgres']
export const promise = 'primary'
export const reading = 'the whole history'

/** For `bench/langgraph.ts`: the saver itself. */
export async function openSaver({ url, connections }) {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  pool.on('error', () => {})
  const saver = new PostgresSaver(pool)
  await saver.setup()
  return { saver, close: () => pool.end() }
}

export async function open(options) {
  const { saver, close } = await openSaver(options)
  let threads = 0
  const put = (thread, messages) =>
    saver.put(
      { configurable: { thread_id: thread, checkpoint_ns: '' } },
      {
        ...emptyCheckpoint(),
        id: uuid6(0),
        channel_values: { messages },
        channel_versions: { messages: 1 },
      },
      { source: 'loop', step: 1, parents: {} },
      { messages: 1 },
    )
  return {
    save: (conversation, _number, { content }) =>
      put(`${conversation}-${threads++}`, [new AIMessage(content)]),
    fill: (conversation, count, { content }) =>
      put(
        conversation,
        Array.from({ length: count }, () => new AIMessage(content)),
      ),
    latest: async (conversation, limit) => {
      const config = { configurable: { thread_id: conversation, checkpoint_ns: '' } }
      const tuple = await saver.getTuple(config)
      return tuple.checkpoint.channel_values.messages.slice(-limit).length
    },
    close,
  }
}
