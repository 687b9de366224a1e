// An agent of the OpenAI Agents SDK whose session is kept here: `npm ci && npm run build`, then
// `node examples/openai-agents.mjs`. The model is a script; nothing is asked over the network.
import { Agent, Runner, tool, Usage } from '@openai/agents-core'
import { openChatHistory } from 'everthread'
import { EverthreadSession } from 'everthread/openai-agents'

const history = await openChatHistory({
  primary: process.env['PRIMARY_URL'] ?? 'memory:',
  backup: process.env['BACKUP_URL'] ?? 'memory:',
  wal: process.env['WAL_URL'] ?? 'memory:',
})

/** @type {import('@openai/agents-core').AgentOutputItem[][]} */
const answers = [
  [
    { type: 'reasoning', id: 'rs_1', content: [] },
    {
      type: 'function_call',
      id: 'fc_1',
      callId: 'call_1',
      name: 'weather',
      arguments: '{"city":"Oslo"}',
      status: 'completed',
    },
  ],
  [said('msg_1', 'It rains in Oslo.')],
  [said('msg_2', 'Take an umbrella.')],
]

/**
 * @param {string} id
 * @param {string} text
 * @returns {import('@openai/agents-core').AgentOutputItem}
 */
function said(id, text) {
  const content = [{ type: /** @type {const} */ ('output_text'), text }]
  return { id, type: 'message', role: 'assistant', status: 'completed', content }
}

/** @type {import('@openai/agents-core').Model} */
const model = {
  getResponse: async () => ({ usage: new Usage(), output: answers.shift() ?? [] }),
  getStreamedResponse: () => {
    throw new Error('this model does not stream')
  },
}
const weather = tool({
  name: 'weather',
  description: 'The weather of a city.',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
  execute: () => 'rain',
})
const agent = new Agent({ name: 'Forecaster', model, tools: [weather] })
const runner = new Runner({ tracingDisabled: true })

try {
  const session = new EverthreadSession(history, { sessionId: 'user-7' })
  const first = await runner.run(agent, 'Is it raining in Oslo?', { session })
  console.log('answer:', first.finalOutput)

  // Another process goes on: the same id is the same session.
  const again = new EverthreadSession(history, { sessionId: 'user-7' })
  const second = await runner.run(agent, 'What should I take?', { session: again })
  console.log('answer:', second.finalOutput)

  const { messages } = await history.getHistory('user-7')
  console.log('kept:', messages.map((each) => ('type' in each ? each.type : each.role)).join(', '))
  const undone = await session.popItem()
  console.log('undone:', undone !== undefined && 'id' in undone ? undone.id : undone)
} finally {
  await history.close()
}
