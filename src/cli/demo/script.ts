import type { NewMessage } from '../../chat/message.ts'

/** What the demo does to the primary before it saves on. */
export type Phase = 'there' | 'away' | 'back'

export interface Line {
  readonly conversationId: string
  readonly message: NewMessage
}

/** This one is cleared while the primary is away, which still has it: it must not come back. */
export const CLEARED = 'scratch'

const ORDER = 'order-4711'
const TRIP = 'trip-to-lisbon'

/** Three small conversations, as they happen: interleaved, with tool calls. */
export const SCRIPT: Readonly<Record<Phase, readonly Line[]>> = {
  there: [
    line(ORDER, { role: 'system', content: 'You help customers of a small book shop.' }),
    line(ORDER, { role: 'user', content: 'Where is my order 4711?' }),
    line(CLEARED, { role: 'user', content: 'My card number is 4000 0000 0000 0002, oh no' }),
    line(ORDER, call('call_1', 'find_order', { number: 4711 })),
    line(TRIP, { role: 'user', content: 'Three days in Lisbon, what should I see?' }),
    line(CLEARED, { role: 'assistant', content: 'I will forget that.' }),
    line(ORDER, answer('call_1', 'find_order', { state: 'sent', carrier: 'post' })),
    line(TRIP, { role: 'assistant', content: 'Do you like walking uphill? 🙂' }),
  ],
  away: [
    line(ORDER, { role: 'assistant', content: 'It was sent yesterday, by post.' }),
    line(TRIP, { role: 'user', content: 'Sim, muito!' }),
    line(ORDER, { role: 'user', content: 'Can it go to my office instead?' }),
    line(TRIP, call('call_2', 'find_walks', { city: 'Lisbon', hills: true })),
    line(ORDER, call('call_3', 'change_address', { number: 4711, to: 'office' })),
    line(TRIP, answer('call_2', 'find_walks', ['Alfama', 'Graça', 'Bica'])),
  ],
  back: [
    line(ORDER, answer('call_3', 'change_address', { done: true })),
    line(TRIP, { role: 'assistant', content: 'Alfama first, then Graça for the view.' }),
    line(ORDER, { role: 'assistant', content: 'Done: it goes to your office.' }),
    line(TRIP, { role: 'user', content: 'Obrigado.' }),
    line(ORDER, { role: 'user', content: 'Thank you!' }),
  ],
}

function line(conversationId: string, message: NewMessage): Line {
  return { conversationId, message }
}

function call(id: string, name: string, args: object): NewMessage {
  const fields = { name, arguments: JSON.stringify(args) }
  return {
    role: 'assistant',
    content: null,
    toolCalls: [{ id, type: 'function', function: fields }],
  }
}

function answer(toolCallId: string, name: string, result: object): NewMessage {
  return { role: 'tool', toolCallId, name, content: JSON.stringify(result) }
}
