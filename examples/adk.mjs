/*
 * A chat with an agent of Google's ADK whose sessions are kept here: what it heard, what it said and its state survive the
 * process. The model is a fake. Needs `npm install everthread @google/adk`; run it twice.
 */
import { BaseLlm, createEvent, LlmAgent, Runner } from '@google/adk'
import { openChatHistory } from 'everthread'
import { EverthreadSessionService } from 'everthread/adk'

/** Answers with the number of contents that it was shown. */
class FakeModel extends BaseLlm {
  constructor() {
    super({ model: 'fake' })
  }

  async *generateContentAsync({ contents }) {
    yield {
      content: { role: 'model', parts: [{ text: `I was shown ${contents.length} contents.` }] },
    }
  }
}

await using history = await openChatHistory()
const sessionService = new EverthreadSessionService(history)
const agent = new LlmAgent({ name: 'counter', model: new FakeModel(), instruction: 'Count.' })
const runner = new Runner({ appName: 'demo', agent, sessionService })

const place = { appName: 'demo', userId: 'ann', sessionId: 'first' }
const session = await sessionService.getOrCreateSession(place)
const newMessage = { role: 'user', parts: [{ text: 'Hello' }] }
for await (const event of runner.runAsync({ userId: 'ann', sessionId: session.id, newMessage })) {
  console.log(`${event.author}: ${event.content?.parts?.[0]?.text}`)
}

// What one session learns of the app, every session knows.
const stateDelta = { 'app:greeted': true, mood: 'fine' }
await sessionService.appendEvent({
  session,
  event: createEvent({ author: 'counter', actions: { stateDelta } }),
})
const read = await sessionService.getSession(place)
console.log(`${read.events.length} events, state:`, read.state)

for await (const message of history.messages('demo/ann/first')) {
  console.log('stored:', message.role ?? message.type, JSON.stringify(message.parts ?? null))
}
