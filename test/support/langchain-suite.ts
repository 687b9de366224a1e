/*
 * What is expected of a message history of LangChain, on any databases: its `InMemoryChatMessageHistory` is the
 * definition, and random programs run on both.
 */
import { InMemoryChatMessageHistory } from '@langchain/core/chat_history'
import {
  AIMessage,
  ChatMessage,
  FunctionMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
  type BaseMessage,
} from '@langchain/core/messages'
import fc from 'fast-check'
import { expect } from 'vitest'
import { EverthreadChatMessageHistory } from '../../src/adapters/langchain.ts'
import type { ChatHistory } from '../../src/index.ts'

/** Also NUL, halves of surrogate pairs and names that are special in JavaScript. */
const TEXT: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '\0', '\ud83d', '\udca9 ', '💩', 'é', 'lc', 'x'.repeat(500)),
)
const PLAIN = fc
  .json({ maxDepth: 3 })
  .map((text) => JSON.parse(text.replaceAll('-0', '0')) as unknown)
const FIELDS = fc.dictionary(TEXT, PLAIN, { maxKeys: 3, noNullPrototype: true })
const CONTENT = fc.oneof(
  TEXT,
  fc.array(fc.record({ type: fc.constant('text'), text: TEXT }), { maxLength: 2 }),
  fc.constant([{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }]),
)
const CALLS = fc.array(
  fc.record({ id: TEXT, name: TEXT, args: FIELDS, type: fc.constant('tool_call' as const) }),
  { maxLength: 2 },
)
const USAGE = fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat(), total_tokens: fc.nat() })
const COMMON = {
  content: CONTENT,
  id: TEXT,
  name: TEXT,
  additional_kwargs: FIELDS,
  response_metadata: FIELDS,
}
const ONLY_CONTENT = { requiredKeys: ['content'] as const }

const MESSAGE: fc.Arbitrary<() => BaseMessage> = fc.oneof(
  fc
    .record(COMMON, ONLY_CONTENT as never)
    .map((f) => () => new HumanMessage(structuredClone(f) as never)),
  fc
    .record(COMMON, ONLY_CONTENT as never)
    .map((f) => () => new SystemMessage(structuredClone(f) as never)),
  fc
    .record(
      { ...COMMON, tool_calls: CALLS, invalid_tool_calls: CALLS, usage_metadata: USAGE },
      ONLY_CONTENT as never,
    )
    .map((f) => () => new AIMessage(structuredClone(f) as never)),
  fc
    .record(
      {
        ...COMMON,
        tool_call_id: TEXT,
        artifact: PLAIN,
        status: fc.constantFrom('success', 'error'),
        metadata: FIELDS,
      },
      { requiredKeys: ['content', 'tool_call_id'] } as never,
    )
    .map((f) => () => new ToolMessage(structuredClone(f) as never)),
  fc
    .record({ ...COMMON, role: TEXT }, { requiredKeys: ['content', 'role'] } as never)
    .map((f) => () => new ChatMessage(structuredClone(f) as never)),
  fc
    .record(COMMON, { requiredKeys: ['content', 'name'] } as never)
    .map((f) => () => new FunctionMessage(structuredClone(f) as never)),
)

type Both = InMemoryChatMessageHistory | EverthreadChatMessageHistory
type Step = readonly [name: string, call: (history: Both) => Promise<unknown>]

function named(name: string, call: Step[1]): Step {
  return [name, call]
}

/** A field that is set after the message was made is a field like others. */
const LATER = fc.option(TEXT, { nil: undefined })

/** Each history gets messages of its own. */
function made(message: () => BaseMessage, id: string | undefined): BaseMessage {
  const it = message()
  if (id !== undefined) it.id = id
  return it
}

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .array(fc.tuple(MESSAGE, LATER), { maxLength: 4 })
      .map((messages) =>
        named('addMessages', (history) =>
          history.addMessages(messages.map(([message, id]) => made(message, id))),
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(MESSAGE, LATER)
      .map(([message, id]) =>
        named('addMessage', (history) => history.addMessage(made(message, id))),
      ),
  },
  {
    weight: 1,
    arbitrary: TEXT.map((text) => named('user', (history) => history.addUserMessage(text))),
  },
  {
    weight: 1,
    arbitrary: TEXT.map((text) => named('ai', (history) => history.addAIMessage(text))),
  },
  { weight: 1, arbitrary: fc.constant(named('clear', (history) => history.clear())) },
)

/** All that a message is, without what is not set. */
function fieldsOf(message: BaseMessage): unknown {
  const { lc_kwargs: _given, ...fields } = message as object as Record<string, unknown>
  const set = Object.entries(fields).filter(([, value]) => value !== undefined)
  return { class: message.constructor.name, ...Object.fromEntries(set) }
}

let sessions = 0

/** Runs programs on both; `seed` says which. Returns how many fields were compared. */
export async function compareHistories(
  history: ChatHistory,
  runs: number,
  seed: number,
): Promise<number> {
  let fields = 0
  const program = fc.array(STEP, { minLength: 1, maxLength: 10 })
  const property = fc.asyncProperty(program, async (steps) => {
    const reference = new InMemoryChatMessageHistory()
    const sessionId = `history ${seed} ${sessions++}`
    const own = new EverthreadChatMessageHistory(history, { sessionId })
    for (const [name, call] of steps) {
      await call(reference)
      await call(own)
      const expected = (await reference.getMessages()).map(fieldsOf)
      expect((await own.getMessages()).map(fieldsOf), name).toStrictEqual(expected)
      for (const each of expected) fields += Object.keys(each as object).length
    }
  })
  await fc.assert(property, { numRuns: runs, seed })
  return fields
}
