/* What operators do, behind a scope of its own. */
import * as v from 'valibot'
import { flag } from '../http/query-kinds.ts'
import { route, type Route } from '../http/route.ts'

const Deep = v.strictObject({ deep: v.optional(flag()) })

export const OPERATE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/status',
    name: 'getStatus',
    summary: 'How each place is, and what waits for it.',
    scope: 'operate',
    run: async ({ history }) => history.status(),
  }),
  route({
    method: 'POST',
    path: '/api/verify',
    name: 'verify',
    summary: 'Compares the two databases and changes nothing; with deep=true it reads every value.',
    scope: 'operate',
    query: Deep,
    run: ({ history, query }) => history.verify({ deep: query.deep ?? false }),
  }),
  route({
    method: 'POST',
    path: '/api/reconcile',
    name: 'reconcile',
    summary: 'Copies what either database lacks.',
    scope: 'operate',
    run: ({ history }) => history.reconcile(),
  }),
  route({
    method: 'POST',
    path: '/api/repair',
    name: 'repair',
    summary: 'Mends damaged values from the other database.',
    scope: 'operate',
    run: ({ history }) => history.repair(),
  }),
  route({
    method: 'POST',
    path: '/api/flush',
    name: 'flush',
    summary: 'Waits until both databases have everything that the log has.',
    scope: 'operate',
    run: async ({ history }) => {
      await history.flush()
      return { status: history.status().overall }
    },
  }),
  route({
    method: 'POST',
    path: '/api/conversations/{conversationId}/erase',
    name: 'eraseConversation',
    summary: 'Takes every byte of a conversation out of every place; the answer has a sign-off of each.',
    scope: 'operate',
    run: ({ history, params }) => history.eraseConversation(params['conversationId']!),
  }),
]
