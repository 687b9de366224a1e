/*
 * Random programs on VoltAgent's storage in memory and on ours: every answer must be the same. Where a conversation is deleted the
 * one in memory is told to clear it first: it keeps steps of conversations that are gone.
 */
import assert from 'node:assert/strict'
import { InMemoryStorageAdapter } from '@voltagent/core'
import { EverthreadStorage } from 'everthread/voltagent'
import { Choices, nextMoment, onEachDatabase, TEXTS } from './random.mjs'

const SEEDS = Number(process.argv[2] ?? 20)
const FIRST = Number(process.argv[3] ?? 1)
const STEPS = 60
const USERS = ['u1', 'u/2', '漢 字']
const IDS = ['c1', 'c/2', '👩‍👩‍👧', 'c%2F']
const RESOURCES = ['agent', '', 'agent/ä']
const RUNS = ['r1', 'r/2', 'lone \ud800', '']
const FLOWS = ['w1', 'w/2']
const MESSAGES = ['m1', 'm2', 'm3', 'm/4', 'm~2', 'm1~2', 'é漢']
const TITLES = ['Rome', 'Bread', '', 'ähnlich', 'NUL \0', 'lone \udc00', 'rome']
const STATUSES = ['running', 'suspended', 'completed', 'cancelled', 'error']

let answers = 0
await onEachDatabase(async (history, kind) => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const choices = new Choices(seed)
    const memory = new InMemoryStorageAdapter()
    const ours = new EverthreadStorage(history.forTenant(`${kind}-${seed}`))
    const times = [Date.now()]
    await nextMoment()
    for (let step = 0; step < STEPS; step++) {
      const [name, ...args] = callOf(choices, times)
      if (name === 'deleteConversation' && (await memory.getConversation(args[0])) !== null) {
        for (const user of USERS) await memory.clearMessages(user, ...args)
      }
      const expected = await outcomeOf(memory, name, args)
      const actual = await outcomeOf(ours, name, args)
      answers++
      const what = `${kind}, seed ${seed}, step ${step}: ${name} ${JSON.stringify(args)}`
      assert.deepStrictEqual(actual, expected, what)
      times.push(Date.now())
      await nextMoment()
    }
  }
})
console.log(`${answers} answers agree`)
// It has started timers of its own.
process.exit(0)

function callOf(choices, times) {
  const user = choices.of(USERS)
  const id = choices.of(IDS)
  const moment = () => new Date(choices.of(times) + 1)
  switch (choices.below(22)) {
    case 0:
    case 1:
    case 2:
      return ['addMessage', messageOf(choices), user, id]
    case 3:
    case 4:
      return ['addMessages', many(choices, messageOf), user, id]
    case 5:
    case 6:
    case 7:
      return [
        'getMessages',
        user,
        id,
        {
          ...(choices.oneIn(2) && { limit: choices.below(4) }),
          ...(choices.oneIn(4) && { before: moment() }),
          ...(choices.oneIn(4) && { after: moment() }),
          ...(choices.oneIn(3) && { roles: choices.of([[], ['user'], ['assistant', 'system']]) }),
        },
      ]
    case 8:
      return ['deleteMessages', many(choices, () => choices.of(MESSAGES)), user, id]
    case 9:
      return ['clearMessages', user, ...(choices.oneIn(2) ? [id] : [])]
    case 10:
    case 11:
      return [
        'createConversation',
        {
          id,
          userId: user,
          resourceId: choices.of(RESOURCES),
          title: choices.of(TITLES),
          metadata: metadataOf(choices),
        },
      ]
    case 12:
      return ['getConversation', id]
    case 13:
      return choices.of([
        ['getConversations', choices.of(['agent', 'agent/ä'])],
        ['getConversationsByUserId', user, queryOf(choices)],
        [
          'countConversations',
          {
            ...(choices.oneIn(2) && { userId: user }),
            ...(choices.oneIn(2) && { resourceId: 'agent' }),
          },
        ],
      ])
    case 14:
      return [
        'queryConversations',
        {
          ...queryOf(choices),
          ...(choices.oneIn(2) && { userId: user }),
          ...(choices.oneIn(3) && { resourceId: 'agent' }),
        },
      ]
    case 15:
      return [
        'updateConversation',
        id,
        {
          ...(choices.oneIn(2) && { title: choices.of(TITLES) }),
          ...(choices.oneIn(3) && { metadata: metadataOf(choices) }),
          ...(choices.oneIn(5) && { userId: user }),
          ...(choices.oneIn(5) && { resourceId: choices.of(['agent', 'agent/ä']) }),
        },
      ]
    case 16:
      return ['deleteConversation', id]
    case 17: {
      const step = () => stepOf(choices, user, id)
      return choices.oneIn(2)
        ? ['saveConversationSteps', many(choices, step)]
        : [
            'getConversationSteps',
            user,
            id,
            {
              ...(choices.oneIn(2) && { limit: choices.below(4) }),
              ...(choices.oneIn(3) && { operationId: 'o1' }),
            },
          ]
    }
    case 18: {
      const params = choices.of([
        { scope: 'user', userId: user },
        { scope: 'conversation', conversationId: id },
        { scope: 'conversation', userId: user },
      ])
      return choices.of([
        ['getWorkingMemory', params],
        ['setWorkingMemory', { ...params, content: choices.of(TEXTS) }],
        ['deleteWorkingMemory', params],
      ])
    }
    default:
      return runCall(choices, user, moment)
  }
}

function messageOf(choices) {
  const text = choices.of(TEXTS)
  const role = choices.of(['user', 'assistant', 'system'])
  const parts = choices.of([
    [],
    [{ type: 'text', text }],
    [
      { type: 'reasoning', text, providerMetadata: { p: { s: 'x' } } },
      { type: 'text', text, state: 'done' },
    ],
    [
      { type: 'step-start' },
      {
        type: 'tool-f',
        toolCallId: 't',
        state: 'output-available',
        input: { text },
        output: [null, 1.5],
      },
    ],
    [{ type: 'tool-f', toolCallId: 't', state: 'input-streaming', rawInput: '{"a' }],
    [
      { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AA==' },
      { type: 'data-x', data: { text } },
    ],
  ])
  return {
    id: choices.of(MESSAGES),
    role,
    parts,
    ...(choices.oneIn(3) && { metadata: { [choices.of(['a', 'b'])]: text, operationId: 'o' } }),
  }
}

function many(choices, make) {
  return Array.from({ length: choices.below(4) }, () => make(choices))
}

function metadataOf(choices) {
  const metadata = {}
  for (let n = choices.below(3); n > 0; n--) {
    metadata[choices.of(['a', 'b', 'lang', 'workingMemory'])] = choices.of([
      1,
      'x',
      null,
      false,
      { deep: [null] },
      choices.of(TEXTS),
    ])
  }
  return metadata
}

function queryOf(choices) {
  return {
    ...(choices.oneIn(2) && { limit: choices.below(4) }),
    ...(choices.oneIn(3) && { offset: choices.below(3) }),
    ...(choices.oneIn(2) && { orderBy: choices.of(['created_at', 'updated_at']) }),
    ...(choices.oneIn(2) && { orderDirection: choices.of(['ASC', 'DESC']) }),
  }
}

function stepOf(choices, userId, conversationId) {
  const stepIndex = choices.below(5)
  return {
    // One step has one place: the one in memory lets a step that moved stand among equals where it was.
    id: `${choices.of(TEXTS)}${stepIndex}`,
    conversationId,
    userId,
    agentId: 'agent',
    operationId: choices.of(['o1', 'o2']),
    stepIndex,
    type: 'tool_call',
    role: 'assistant',
    content: choices.of(TEXTS),
    arguments: choices.of([null, { a: 1 }, undefined]),
    createdAt: new Date().toISOString(),
  }
}

function runCall(choices, userId, moment) {
  const id = choices.of(RUNS)
  const workflowId = FLOWS[RUNS.indexOf(id) % FLOWS.length]
  switch (choices.below(5)) {
    case 0:
      return [
        'setWorkflowState',
        id,
        {
          id,
          workflowId,
          workflowName: 'w',
          status: choices.of(STATUSES),
          input: choices.of(TEXTS),
          context: [['k', { a: choices.of(TEXTS) }]],
          ...(choices.oneIn(2) && { userId }),
          ...(choices.oneIn(2) && { metadata: metadataOf(choices) }),
          ...(choices.oneIn(2) && { suspension: { suspendedAt: new Date(), stepIndex: 1 } }),
          ...(choices.oneIn(4) && { cancellation: { cancelledAt: new Date(), reason: 'r' } }),
          createdAt: new Date(),
          updatedAt: new Date(),
        },
      ]
    case 1:
      return [
        'updateWorkflowState',
        id,
        choices.of([
          { status: choices.of(STATUSES) },
          { suspension: undefined, output: choices.of(TEXTS) },
          { metadata: metadataOf(choices), events: [{ id: 'e', type: 't', startTime: 'x' }] },
        ]),
      ]
    case 2:
      return ['getWorkflowState', id]
    case 3:
      return ['getSuspendedWorkflowStates', workflowId]
    default:
      return [
        'queryWorkflowRuns',
        {
          ...(choices.oneIn(2) && { workflowId }),
          ...(choices.oneIn(2) && { status: choices.of(STATUSES) }),
          ...(choices.oneIn(4) && { from: moment() }),
          ...(choices.oneIn(4) && { to: moment() }),
          ...(choices.oneIn(3) && { limit: choices.below(3) }),
          ...(choices.oneIn(3) && { offset: choices.below(2) }),
          ...(choices.oneIn(4) && { userId }),
          ...(choices.oneIn(4) && { metadata: { a: choices.of([1, null]) } }),
        },
      ]
  }
}

async function outcomeOf(storage, name, args) {
  try {
    return shown(await storage[name](...args.map((arg) => structuredClone(arg))))
  } catch (error) {
    if (name === 'updateWorkflowState') return { refused: true }
    return { refused: error.name, code: error.code, details: error.details }
  }
}

/** Times tell only that they are dates: the two storages are called one after the other. */
function shown(value) {
  if (value === undefined || value === null) return value
  const dates = JSON.stringify(value, function (key, each) {
    if (this[key] instanceof Date) return 'a date'
    return ['createdAt', 'updatedAt', 'suspendedAt', 'cancelledAt'].includes(key)
      ? typeof each
      : each
  })
  return JSON.parse(dates)
}
