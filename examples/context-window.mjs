// What a model is shown of a long conversation: `npm ci && npm run build`, then
// `node examples/context-window.mjs`. Everything is in memory.
import { openChatHistory } from 'everthread'

const history = await openChatHistory({ primary: 'memory:', backup: 'memory:', wal: 'memory:' })

try {
  await history.saveMessages('c', [
    { role: 'system', content: 'You book flights.' },
    { role: 'user', content: 'Is there a flight to Oslo, and what is the weather?' },
    {
      role: 'assistant',
      content: null,
      toolCalls: [
        { id: 'call-1', name: 'flights' },
        { id: 'call-2', name: 'weather' },
      ],
    },
    // Here the process was killed: call-2 has no result.
    { role: 'tool', toolCallId: 'call-1', content: 'SK 1234 at 09:00' },
    { role: 'user', content: 'Are you still there?' },
  ])

  // Whatever counts like your model does; here a word is a token.
  /** @param {import('everthread').ChatMessage} message */
  const countTokens = ({ content }) => JSON.stringify(content).split(' ').length
  const show = async () => {
    const limits = { maxMessages: 20, maxTokens: 1_000, countTokens, keepSystem: true }
    const window = await history.window('c', limits)
    for (const { role, content } of window.messages)
      console.log(`  ${role}: ${content ?? '(calls)'}`)
    const open = window.danglingToolCalls.map(({ toolCallId }) => toolCallId).join(', ') || 'none'
    console.log(`  tokens: ${window.tokens}, truncated: ${window.truncated}, open: ${open}`)
  }

  console.log('after the crash:')
  await show()
  const { closed } = await history.closeToolCalls('c', { content: 'The tool was interrupted.' })
  console.log(`closed ${closed.map(({ toolCallId }) => toolCallId).join(', ')}:`)
  await show()
  await history.saveMessage('c', { role: 'tool', toolCallId: 'call-2', content: '12 degrees' })
  console.log('the result came after all:')
  await show()
} finally {
  await history.close()
}
