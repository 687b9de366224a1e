/*
 * Made-up conversations of an airline's customer service in OpenAI's form: a long system message,
 * user and assistant in turn, tool calls with JSON as text, and answers of the tools. The same seed
 * makes the same conversations.
 */

export interface ServiceMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | null
  readonly tool_calls?: readonly ToolCall[]
  readonly tool_call_id?: string
  readonly name?: string
}

interface ToolCall {
  readonly id: string
  readonly type: 'function'
  readonly function: { readonly name: string; readonly arguments: string }
}

export interface ServiceConversation {
  readonly conversationId: string
  readonly messages: readonly ServiceMessage[]
}

const WORDS = (
  'flight seat bag ticket gate change cancel refund tomorrow please Zürich Kraków 東京 São Paulo ' +
  '"quoted" back\\slash new\nline tab\t 🛫 👩‍✈️ naïve 50 % _under_ O’Hare \u2028 \u0000 economy'
).split(' ')
const TOOLS = ['get_reservation', 'search_flights', 'update_bags', 'send_certificate', 'think']

export function serviceConversations({
  seed,
  count,
}: {
  readonly seed: number
  readonly count: number
}): readonly ServiceConversation[] {
  const random = generator(seed)
  const policy = `# Policy\n\n${text(random, 400)}`
  return Array.from({ length: count }, (_, i) => ({
    conversationId: `service-${String(i).padStart(3, '0')}-${random(4)}`,
    messages: [{ role: 'system' as const, content: policy }, ...turns(random, 3 + random(10))],
  }))
}

function turns(random: Random, count: number): ServiceMessage[] {
  return Array.from({ length: count }, (_, i) => turn(random, i)).flat()
}

function turn(random: Random, index: number): ServiceMessage[] {
  const asked: ServiceMessage = { role: 'user', content: text(random, 5 + random(60)) }
  const answered: ServiceMessage = { role: 'assistant', content: text(random, 5 + random(120)) }
  return [
    asked,
    ...Array.from({ length: random(4) }, (_, i) => call(random, index * 10 + i)).flat(),
    answered,
  ]
}

function call(random: Random, number: number): ServiceMessage[] {
  const id = `call_${number}_${random(1_000_000)}`
  const name = TOOLS[random(TOOLS.length)]!
  const argument = JSON.stringify({ id: `R${random(100_000)}`, note: text(random, random(8)) })
  return [
    {
      role: 'assistant',
      content: random(2) === 0 ? null : '',
      tool_calls: [{ id, type: 'function', function: { name, arguments: argument } }],
    },
    {
      role: 'tool',
      tool_call_id: id,
      name,
      content: JSON.stringify({ rows: [1.5, 2e21, -0.1, null, text(random, random(300))] }),
    },
  ]
}

function text(random: Random, words: number): string {
  return Array.from({ length: words }, () => WORDS[random(WORDS.length)]).join(' ')
}

/** An integer from 0 up to, not including, the limit. */
type Random = (limit: number) => number

/** A linear congruential generator: made-up text needs no better one. */
function generator(seed: number): Random {
  let state = seed >>> 0
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}
