/*
 * What is expected of a session of the OpenAI Agents SDK, on any databases: the SDK's own `MemorySession` is the
 * definition, and random programs run on both.
 */
import {
  MemorySession,
  type AgentInputItem,
  type SessionHistoryTransaction,
} from '@openai/agents-core'
import fc from 'fast-check'
import { expect } from 'vitest'
import { EverthreadSession } from '../../src/adapters/openai-agents.ts'
import type { ChatHistory } from '../../src/index.ts'

/** Also NUL, halves of surrogate pairs and names that are special in JavaScript. */
const TEXT: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '\0', '\ud83d', '\udca9 ', '💩', 'é', '__proto__', 'x'.repeat(500)),
)
const OWN_ID = fc.option(fc.constantFrom('msg_1', 'fc_1', '', '\0', 'i'.repeat(2_000)), {
  nil: undefined,
})
const CALL_ID = fc.constantFrom('call_1', 'call_2', '\ud83d')
const PLAIN = fc
  .json({ maxDepth: 3 })
  .map((text) => JSON.parse(text.replaceAll('-0', '0')) as unknown)
const MORE = fc.record(
  { providerData: fc.dictionary(TEXT, PLAIN, { maxKeys: 3, noNullPrototype: true }) },
  { requiredKeys: [] },
)
const STATUS = fc.constantFrom('in_progress', 'completed', 'incomplete')

const KINDS: fc.Arbitrary<object> = fc.oneof(
  fc.record({ role: fc.constant('user'), content: TEXT }),
  fc.record({
    type: fc.constant('message'),
    role: fc.constant('user'),
    content: fc.array(fc.record({ type: fc.constant('input_text'), text: TEXT }), { maxLength: 2 }),
  }),
  fc.record({ role: fc.constant('system'), content: TEXT }),
  fc.record({
    type: fc.constant('message'),
    role: fc.constant('assistant'),
    status: STATUS,
    content: fc.array(
      fc.oneof(
        fc.record({ type: fc.constant('output_text'), text: TEXT }),
        fc.record({ type: fc.constant('refusal'), refusal: TEXT }),
      ),
      { maxLength: 2 },
    ),
  }),
  fc.record({
    type: fc.constant('function_call'),
    callId: CALL_ID,
    name: TEXT,
    arguments: TEXT,
    status: STATUS,
  }),
  fc.record({
    type: fc.constant('function_call_result'),
    callId: CALL_ID,
    name: TEXT,
    status: STATUS,
    output: fc.oneof(TEXT, fc.record({ type: fc.constant('text'), text: TEXT })),
  }),
  fc.record({
    type: fc.constant('reasoning'),
    content: fc.array(fc.record({ type: fc.constant('input_text'), text: TEXT }), { maxLength: 2 }),
  }),
  fc.record({ type: fc.constant('hosted_tool_call'), name: TEXT, output: TEXT }),
  fc.record({ type: fc.constant('compaction'), encrypted_content: TEXT, created_by: TEXT }),
  fc.record({ type: fc.constant('unknown') }),
)

/** An item with an id of its own or none. */
export const ITEM: fc.Arbitrary<AgentInputItem> = fc
  .tuple(KINDS, MORE, OWN_ID)
  .map(
    ([item, more, id]) => ({ ...(id !== undefined && { id }), ...item, ...more }) as AgentInputItem,
  )
const ITEMS = fc.array(ITEM, { maxLength: 4 })

type Call = (session: MemorySession | EverthreadSession, state: State) => Promise<unknown>
type Step = readonly [name: string, call: Call]

/** What the program knows beside the sessions, the same for both. */
interface State {
  /** All items, as the reference has them. */
  readonly items: readonly AgentInputItem[]
  readonly sent: { operationId: string; transaction: SessionHistoryTransaction }[]
}

const OPERATION = fc.constantFrom('op 1', 'op 2', 'op 3', '\ud83d', '')

/** `how` many of the latest items are expected, and whether they are made stale. */
const SUFFIX = fc.record({ count: fc.nat(4), isStale: fc.boolean(), keeps: fc.nat(2) })

function named(name: string, call: Call): Step {
  return [name, call]
}

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: ITEMS.map((items) => named('add', (session) => session.addItems(items))),
  },
  { weight: 3, arbitrary: fc.constant(named('pop', (session) => session.popItem())) },
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: -1, max: 6 })
      .map((limit) => named(`get ${limit}`, (session) => session.getItems(limit))),
  },
  { weight: 1, arbitrary: fc.constant(named('clear', (session) => session.clearSession())) },
  {
    weight: 2,
    arbitrary: fc.array(fc.tuple(CALL_ID, ITEM), { maxLength: 3 }).map((calls) => {
      const mutations = calls.map(([callId, replacement]) => {
        return { type: 'replace_function_call', callId, replacement } as never
      })
      return named('mutate', (session) => session.applyHistoryMutations({ mutations }))
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(OPERATION, ITEMS)
      .map(([operationId, items]) =>
        sending('append', operationId, () => ({ type: 'append_items', items })),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(OPERATION, SUFFIX, ITEMS)
      .map(([operationId, { count, isStale, keeps }, items]) =>
        sending('replace', operationId, ({ items: all }) => {
          const expected = structuredClone(count === 0 ? [] : all.slice(-count))
          const replacement = [...expected.slice(0, keeps), ...items]
          const expectedSuffix = isStale ? [...expected, ...items] : expected
          return { type: 'replace_suffix', expectedSuffix, replacement }
        }),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.nat().map((which) =>
      named('repeat', async (session, { sent }) => {
        if (sent.length > 0) await session.applyHistoryTransaction(sent[which % sent.length]!)
      }),
    ),
  },
)

function sending(
  name: string,
  operationId: string,
  make: (state: State) => SessionHistoryTransaction,
): Step {
  return named(`${name} ${JSON.stringify(operationId)}`, async (session, state) => {
    const transaction = make(state)
    state.sent.push({ operationId, transaction })
    await session.applyHistoryTransaction({ operationId, transaction })
  })
}

/** Programs of calls. */
export const PROGRAM: fc.Arbitrary<readonly Step[]> = fc.array(STEP, {
  minLength: 1,
  maxLength: 14,
})

/** What became of a call: its answer, or that it failed. */
async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return { answer: await call() }
  } catch {
    return 'failed'
  }
}

let sessions = 0

/** Runs programs on both; `seed` says which. Returns how many calls were compared. */
export async function compareSessions(
  history: ChatHistory,
  runs: number,
  seed: number,
): Promise<number> {
  let calls = 0
  const property = fc.asyncProperty(PROGRAM, async (program) => {
    const sessionId = `session ${seed} ${sessions++}`
    const reference = new MemorySession({ sessionId })
    const session = new EverthreadSession(history, { sessionId })
    const sent: State['sent'] = []
    for (const [name, call] of program) {
      const before = await reference.getItems()
      const expected = await outcome(() => call(reference, { items: before, sent: [...sent] }))
      const found = await outcome(() => call(session, { items: before, sent }))
      expect(found, name).toStrictEqual(expected)
      expect(await session.getItems(), name).toStrictEqual(await reference.getItems())
      calls++
    }
  })
  await fc.assert(property, { numRuns: runs, seed })
  return calls
}
