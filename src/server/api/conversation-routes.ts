/* Conversations, their messages, branches and windows, as the library has them: names and limits are its own. */
import * as v from 'valibot'
import type { ConversationItem } from '../../chat/message.ts'
import { given } from '../../core/options.ts'
import { Refusal } from '../http/refusal.ts'
import { anyObject, count, flag, word } from '../http/query-kinds.ts'
import { route, type Route } from '../http/route.ts'

const PAGE_MAX = 1_000
/** Messages of one call. */
const MESSAGES_MAX = 1_000

const text = () => v.optional(word())
const limit = () => v.optional(count(1, PAGE_MAX))

const Listed = v.strictObject({
  owner: text(),
  titlePrefix: text(),
  orderBy: v.optional(v.picklist(['activity', 'created'])),
  countMessages: v.optional(flag()),
  limit: limit(),
  before: text(),
})
const Fields = {
  title: v.optional(v.string()),
  owner: v.optional(v.string()),
  metadata: v.optional(anyObject()),
}
const Created = v.strictObject({ conversationId: word(), ...Fields, createdAt: text() })
const Patch = v.strictObject({
  title: v.nullish(v.string()),
  owner: v.nullish(v.string()),
  metadata: Fields.metadata,
})
const IfStamp = v.strictObject({ ifStamp: text() })
const HistoryPage = v.strictObject({
  limit: limit(),
  before: text(),
  after: text(),
  order: v.optional(v.picklist(['newest', 'oldest'])),
  alignTurns: v.optional(flag()),
})
const NewMessages = v.strictObject({
  messages: v.pipe(v.array(anyObject()), v.minLength(1), v.maxLength(MESSAGES_MAX)),
})
const Window = v.strictObject({
  maxMessages: v.optional(count(1, PAGE_MAX)),
  keepSystem: v.optional(flag()),
})
const Fork = v.strictObject({ from: text(), as: text() })
const Truncate = v.strictObject({ from: word() })
const Search = v.strictObject({
  text: word(),
  in: v.optional(v.picklist(['messages', 'titles'])),
  conversationId: text(),
  owner: text(),
  role: text(),
  after: text(),
  before: text(),
  limit: v.optional(count(1, 100)),
  cursor: text(),
})

const ALL = '/api/conversations'
const ONE = `${ALL}/{conversationId}`
const MESSAGE = `${ONE}/messages/{messageId}`

export const CONVERSATION_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: ALL,
    name: 'listConversations',
    summary: 'A page of conversations, the latest activity first.',
    scope: 'read',
    query: Listed,
    run: ({ history, query }) => history.listConversations(given(query)),
  }),
  route({
    method: 'POST',
    path: ALL,
    name: 'createConversation',
    summary: 'Gives a conversation a record; may be repeated.',
    scope: 'write',
    body: Created,
    run: async ({ history, body }) => {
      const { conversationId, ...fields } = body
      return await history.createConversation(conversationId, given(fields))
    },
  }),
  route({
    method: 'GET',
    path: ONE,
    name: 'getConversation',
    summary: 'The record of a conversation, its latest activity and its number of messages.',
    scope: 'read',
    run: async ({ history, params }) => {
      const id = params['conversationId']!
      const found = await history.getConversation(id)
      if (found === undefined) throw nothing('conversation', id)
      return found
    },
  }),
  route({
    method: 'PATCH',
    path: ONE,
    name: 'updateConversation',
    summary: 'Changes fields of a record; null takes one away.',
    scope: 'write',
    query: IfStamp,
    body: Patch,
    run: ({ history, params, query, body }) =>
      history.updateConversation(params['conversationId']!, given(body), given(query)),
  }),
  route({
    method: 'DELETE',
    path: ONE,
    name: 'deleteConversation',
    summary: 'Removes the messages and the record of a conversation.',
    scope: 'write',
    run: ({ history, params }) => history.deleteConversation(params['conversationId']!),
  }),
  route({
    method: 'GET',
    path: `${ONE}/window`,
    name: 'readWindow',
    summary: 'The latest messages that fit, never a tool call without its result.',
    scope: 'read',
    query: Window,
    run: ({ history, params, query }) => history.window(params['conversationId']!, given(query)),
  }),
  route({
    method: 'POST',
    path: `${ONE}/forks`,
    name: 'forkConversation',
    summary: 'A conversation that shares the messages up to one of them.',
    scope: 'write',
    body: Fork,
    run: ({ history, params, body }) => history.fork(params['conversationId']!, given(body)),
  }),
  route({
    method: 'POST',
    path: `${ONE}/truncate`,
    name: 'truncateConversation',
    summary: 'Removes a message and all behind it, at once.',
    scope: 'write',
    body: Truncate,
    run: ({ history, params, body }) => history.truncate(params['conversationId']!, body),
  }),
  route({
    method: 'GET',
    path: '/api/search',
    name: 'search',
    summary: 'Messages, or titles, that have all of these words.',
    scope: 'read',
    query: Search,
    run: ({ history, query: { text: words, ...rest } }) =>
      history.search({ text: words, ...given(rest) }),
  }),
]

export const MESSAGE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: `${ONE}/messages`,
    name: 'getHistory',
    summary: 'A page of messages: the latest, oldest first, unless asked otherwise.',
    scope: 'read',
    query: HistoryPage,
    run: ({ history, params, query }) => history.getHistory(params['conversationId']!, given(query)),
  }),
  route({
    method: 'POST',
    path: `${ONE}/messages`,
    name: 'saveMessages',
    summary: 'Saves messages, or items without a role, all of them or none; the answer has a receipt for each.',
    scope: 'write',
    body: NewMessages,
    run: async ({ history, params, body }) => ({
      receipts: await history.saveItems(
        params['conversationId']!,
        body.messages as readonly object[] as readonly ConversationItem[],
      ),
    }),
  }),
  route({
    method: 'GET',
    path: MESSAGE,
    name: 'getMessage',
    summary: 'One message, with the stamp that an update may name.',
    scope: 'read',
    run: async ({ history, params }) => {
      const found = await history.getMessageEntry(params['conversationId']!, params['messageId']!)
      if (found === undefined) throw nothing('message', params['messageId']!)
      return found
    },
  }),
  route({
    method: 'PUT',
    path: MESSAGE,
    name: 'updateMessage',
    summary: 'Replaces a whole message; it keeps its place.',
    scope: 'write',
    query: IfStamp,
    body: anyObject(),
    run: ({ history, params, query, body }) =>
      history.updateMessage(
        params['conversationId']!,
        params['messageId']!,
        body as object as ConversationItem,
        given(query) as object,
      ),
  }),
  route({
    method: 'DELETE',
    path: MESSAGE,
    name: 'deleteMessage',
    summary: 'Removes a message for good.',
    scope: 'write',
    run: ({ history, params }) =>
      history.deleteMessage(params['conversationId']!, params['messageId']!),
  }),
]

function nothing(what: string, id: string): Refusal {
  const code = 'NOT_FOUND'
  return new Refusal(404, `there is no ${what} ${JSON.stringify(id)}`, { code })
}
