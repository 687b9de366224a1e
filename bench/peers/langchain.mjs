// LangChain: one INSERT a message; reading fetches the whole history, there is no other call.
import { PostgresChatMessageHistory } from '@langchain/community/stores/message/postgres'
import { AIMessage } from '@langchain/core/messages'
import pg from 'pg'

export const title = 'LangChain PostgresChatMessageHistory'
export const packages = ['@langchain/community', '@langchain/core']
export const promise = 'primary'
export const reading = 'the whole history'

export async function open({ url, connections }) {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  pool.on('error', () => {})
  const histories = new Map()
  const history = (conversation) => {
    const known = histories.get(conversation)
    if (known !== undefined) return known
    const made = new PostgresChatMessageHistory({ pool, sessionId: conversation })
    histories.set(conversation, made)
    return made
  }
  return {
    save: (conversation, _number, { content }) =>
      history(conversation).addMessage(new AIMessage(content)),
    latest: async (conversation, limit) =>
      (await history(conversation).getMessages()).slice(-limit).length,
    close: () => pool.end(),
  }
}
