import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import type { ChatHistory } from '../chat/chat-history.ts'
import { invalid } from '../core/errors.ts'
import {
  boolean,
  byDefault,
  bytes,
  callback,
  list,
  matching,
  oneOf,
  value,
  integer,
  abortSignal,
} from '../core/option-kinds.ts'
import { resolve, type OptionTable, type Resolved } from '../core/options.ts'
import {
  byKeys,
  checkScopes,
  mayDo,
  type ApiKey,
  type Authenticate,
  type Caller,
} from './http/credentials.ts'
import { readBody } from './http/read-body.ts'
import { openAiErrorOf, problemOf, Refusal, refusalOf } from './http/refusal.ts'
import { RouteTable, type Match, type Route } from './http/route.ts'
import { changeRoutes } from './api/change-routes.ts'
import { CONVERSATION_ROUTES, MESSAGE_ROUTES } from './api/conversation-routes.ts'
import { OPERATE_ROUTES } from './api/operate-routes.ts'
import { HEALTH_ROUTES } from './health-routes.ts'
import { conversationRoutes } from './openai/conversation-routes.ts'

/** Who may ask, and how much. One of `keys`, `authenticate` and `auth: 'none'` is needed. */
export interface HandlerOptions {
  /** Keys that callers send as `Authorization: Bearer KEY`; of each only the hash is given. */
  readonly keys?: readonly ApiKey[]
  /** Your own way to tell who asks: undefined is answered with 401. */
  readonly authenticate?: Authenticate
  /** `none`: whoever reaches the handler may do everything. For a handler behind an authentication of your own. */
  readonly auth?: 'none'
  /** What the paths begin with where it is mounted, such as `/chat`. Default: nothing. */
  readonly basePath?: string
  /** Longest body of a request, bytes. Default: 8 MiB. */
  readonly bodyBytesMax?: number
  /** Answer reads only. Default: false. */
  readonly readOnly?: boolean
  /** Event streams that may be open at once. Default: 1,000. */
  readonly streamsMax?: number
  /** Ends all event streams: before a server closes, which waits for them. */
  readonly signal?: AbortSignal
}

/** A Fetch handler: what Next.js, Hono, Bun and workers mount as it is. */
export type Handler = (request: Request) => Promise<Response>

const MIB = 1024 ** 2

const OPTIONS: OptionTable<
  HandlerOptions,
  'basePath' | 'bodyBytesMax' | 'readOnly' | 'streamsMax'
> = {
  keys: list(
    value<ApiKey>('a key', (given) => typeof given === 'object' && given !== null),
    1,
  ),
  authenticate: callback<Authenticate>(),
  auth: oneOf('none'),
  basePath: byDefault(
    '',
    matching(/^(?:\/[^/?#]+)*$/, 'a path such as /chat, without a slash at its end'),
  ),
  bodyBytesMax: byDefault(8 * MIB, bytes(1_024, 256 * MIB)),
  readOnly: byDefault(false, boolean()),
  streamsMax: byDefault(1_000, integer(0, 1_000_000)),
  signal: abortSignal(),
}

/** What needs no credential: whoever can reach the port may know whether it is well. */
const ANYBODY: Caller = { scopes: [] }

/**
 * One handler for conversations over HTTP: the calls of the library below `/api`, the Conversations API of OpenAI below
 * `/v1`, for clients as they are, and `/livez` and `/readyz` for whoever watches the process. The tenant is that of
 * the credential.
 *
 * @throws StorageError `INVALID_ARGUMENT` for options that say nobody, or two ways, to tell who asks.
 */
export function createHandler(history: ChatHistory, options: HandlerOptions): Handler {
  const resolved = resolve('', options, OPTIONS)
  const way = new RequestWay(history, resolved)
  return async (request) => await way.answer(request)
}

function authenticateBy({ keys, authenticate, auth }: Resolved<typeof OPTIONS>): Authenticate {
  const given = [keys, authenticate, auth].filter((one) => one !== undefined)
  if (given.length !== 1) {
    const what = "keys, authenticate and auth: 'none'"
    throw invalid(`options must have one of ${what}, got ${given.length} of them`)
  }
  if (keys !== undefined) return byKeys(keys)
  return authenticate ?? (() => ({ scopes: ['read', 'write', 'operate'] }))
}

class RequestWay {
  readonly #history: ChatHistory
  readonly #options: Resolved<typeof OPTIONS>
  readonly #authenticate: Authenticate
  readonly #table: RouteTable

  constructor(history: ChatHistory, options: Resolved<typeof OPTIONS>) {
    this.#history = history
    this.#options = options
    this.#authenticate = authenticateBy(options)
    const { streamsMax: max, signal } = options
    this.#table = new RouteTable([
      ...HEALTH_ROUTES,
      ...CONVERSATION_ROUTES,
      ...MESSAGE_ROUTES,
      ...OPERATE_ROUTES,
      ...changeRoutes({ max, signal }),
      ...conversationRoutes(),
    ])
  }

  async answer(request: Request): Promise<Response> {
    const id = randomUUID()
    const { pathname, searchParams } = new URL(request.url)
    const { basePath } = this.#options
    const path = pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : undefined
    const isOpenAi = path?.startsWith('/v1/') === true
    try {
      const answer = await this.#run(request, path, searchParams)
      const response = answer instanceof Response ? answer : json(200, answer)
      response.headers.set('x-request-id', id)
      return response
    } catch (error) {
      const refusal = refusalOf(error)
      const body = isOpenAi ? openAiErrorOf(refusal) : problemOf(refusal)
      const response = json(refusal.status, body, isOpenAi ? JSON_TYPE : PROBLEM_TYPE)
      for (const [name, text] of Object.entries(refusal.headers)) response.headers.set(name, text)
      response.headers.set('x-request-id', id)
      return response
    }
  }

  async #run(
    request: Request,
    path: string | undefined,
    search: URLSearchParams,
  ): Promise<unknown> {
    const { route, params } = this.#match(request.method, path)
    const caller = await this.#caller(request, route)
    const query = checked(route.query, queryOf(search), 'query')
    const given = route.body && (await readBody(request, this.#options.bodyBytesMax))
    const body = checked(route.body, given ?? {}, 'body')
    const { tenant } = caller
    const history = tenant === undefined ? this.#history : this.#history.forTenant(tenant)
    return await route.run({ history, tenant: tenant ?? '', params, query, body, request })
  }

  #match(method: string, path: string | undefined): Match {
    let found: ReturnType<RouteTable['find']>
    try {
      found = path === undefined ? undefined : this.#table.find(method, path)
    } catch {
      throw new Refusal(400, 'the path must be percent-encoded UTF-8')
    }
    if (found === undefined) throw new Refusal(404, 'there is nothing at this path')
    if ('route' in found) return found
    const allow = found.join(', ')
    throw new Refusal(405, `this path takes ${allow}`, { headers: { allow } })
  }

  async #caller(request: Request, { scope }: Route): Promise<Caller> {
    if (scope === undefined) return ANYBODY
    const caller = await this.#authenticate(request)
    if (caller === undefined) {
      const headers = { 'www-authenticate': 'Bearer' }
      throw new Refusal(401, 'a key is needed: Authorization: Bearer KEY', { headers })
    }
    checkScopes('scopes', caller.scopes)
    if (!mayDo(caller, scope)) throw new Refusal(403, `this key does not allow to ${scope}`)
    if (this.#options.readOnly && scope !== 'read') throw new Refusal(403, 'only reads are allowed')
    return caller
  }
}

const JSON_TYPE = 'application/json'
const PROBLEM_TYPE = 'application/problem+json'

function json(status: number, body: unknown, type = JSON_TYPE): Response {
  // What a browser keeps of one user is not to be shown to the next.
  const headers = {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  return new Response(JSON.stringify(body), { status, headers })
}

/** A parameter that is given twice, or ends in `[]`, is a list. */
function queryOf(search: URLSearchParams): object {
  const names = [...new Set(search.keys())]
  const entries = names.map((name) => {
    const texts = search.getAll(name)
    return [name, texts.length > 1 || name.endsWith('[]') ? texts : texts[0]] as const
  })
  return Object.fromEntries(entries)
}

function checked(schema: Route['query'], given: unknown, name: 'query' | 'body'): unknown {
  if (schema === undefined) return undefined
  const { success, output, issues } = v.safeParse(schema, given, { abortEarly: true })
  if (success) return output
  const [{ message, path }] = issues
  const field = path?.map(({ key }) => String(key)).join('.')
  const text = field === undefined ? `the ${name}` : field
  throw new Refusal(400, `${text}: ${message}`, {
    code: 'INVALID_ARGUMENT',
    ...(field !== undefined && { param: field }),
  })
}
