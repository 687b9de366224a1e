import {
  Agent,
  Runner,
  tool,
  Usage,
  type AgentOutputItem,
  type Model,
  type ModelResponse,
  type Session,
} from '@openai/agents-core'

/** A model that answers with these, one after the other. */
export function scripted(...answers: readonly (readonly AgentOutputItem[])[]): Model {
  let next = 0
  return {
    getResponse(): Promise<ModelResponse> {
      return Promise.resolve({ usage: new Usage(), output: structuredClone([...answers[next++]!]) })
    },
    getStreamedResponse: () => {
      throw new Error('not streamed')
    },
  }
}

/** A run that is interrupted for an approval and goes on. */
export async function runWithApproval(
  session: Session,
): Promise<{ readonly output: unknown; readonly kinds: readonly unknown[] }> {
  const weather = tool({
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: {}, required: [], additionalProperties: false },
    strict: true,
    needsApproval: true,
    execute: () => 'rain',
  })
  const model = scripted(
    [
      { type: 'reasoning', id: 'rs_1', content: [] },
      {
        type: 'function_call',
        id: 'fc_1',
        callId: 'call_1',
        name: 'weather',
        arguments: '{}',
        status: 'completed',
      },
    ],
    [
      {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'It rains in Oslo.' }],
      },
    ],
  )
  const agent = new Agent({ name: 'A', model, tools: [weather] })
  const runner = new Runner({ tracingDisabled: true })
  const first = await runner.run(agent, 'Oslo?', { session })
  for (const interruption of first.interruptions) first.state.approve(interruption)
  const { finalOutput } = await runner.run(agent, first.state, { session })
  const items = await session.getItems()
  return { output: finalOutput, kinds: items.map((item) => item.type ?? 'user') }
}
