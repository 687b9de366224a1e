import { Refusal } from './http/refusal.ts'
import { route, type Route } from './http/route.ts'

/** For orchestrators: https://kubernetes.io/docs/reference/using-api/health-checks/ has the names. */
export const HEALTH_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/livez',
    name: 'isAlive',
    summary: 'The process answers.',
    run: async () => ({ status: 'ok' }),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    name: 'isReady',
    summary: 'Saves would be acknowledged now.',
    run: async ({ history }) => {
      const { overall } = history.status()
      if (overall !== 'down') return { status: overall }
      throw new Refusal(503, 'no place takes saves now', { headers: { 'retry-after': '1' } })
    },
  }),
]
