/*
 * Routes are a table: what a request may be is said once, by schemas, and checked before anything is done. The
 * description of the whole surface is made of the same table.
 */
import type * as v from 'valibot'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { Scope } from './credentials.ts'

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

/** Of the query and body: any schema of valibot that needs no waiting. */
export type Schema = v.GenericSchema

type Output<S extends Schema | undefined> = S extends Schema ? v.InferOutput<S> : undefined

/** What the way of a request hands to its route. */
export interface Call<Query, Body> {
  /** Of the caller's tenant. */
  readonly history: ChatHistory
  /** The tenant that the credential is of. */
  readonly tenant: string
  /** The parts of the path in braces, decoded once. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
  readonly body: Body
  readonly request: Request
}

export interface RouteDefinition<
  Q extends Schema | undefined = Schema | undefined,
  B extends Schema | undefined = Schema | undefined,
> {
  readonly method: Method
  /** Parts in braces stand for one segment: `/v1/conversations/{conversationId}`. */
  readonly path: string
  /** Name of the operation in the description and in clients. */
  readonly name: string
  readonly summary: string
  /** What a credential must be allowed; absent: anybody may ask, also without one. */
  readonly scope?: Scope
  readonly query?: Q
  readonly body?: B
  /** What is answered, as JSON; a `Response` is sent as it is. */
  readonly run: (call: Call<Output<Q>, Output<B>>) => Promise<unknown>
}

/** Any route, as the table holds it. */
export interface Route extends Omit<RouteDefinition, 'run'> {
  readonly run: (call: Call<unknown, unknown>) => Promise<unknown>
}

/** Keeps the types of query and body together with what runs. */
export function route<
  const Q extends Schema | undefined = undefined,
  const B extends Schema | undefined = undefined,
>(definition: RouteDefinition<Q, B>): Route {
  return definition as unknown as Route
}

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

interface Entry {
  readonly segments: readonly string[]
  readonly byMethod: Map<string, Route>
}

/** Finds the route of a path: an exact segment before one in braces. */
export class RouteTable {
  readonly #entries: readonly Entry[]

  constructor(routes: readonly Route[]) {
    const entries = [...new Set(routes.map(({ path }) => path))].map((path) => ({
      segments: path.slice(1).split('/'),
      byMethod: new Map(
        routes.filter((one) => one.path === path).map((one) => [one.method as string, one]),
      ),
    }))
    const open = ({ segments }: Entry): number => segments.filter(isOpen).length
    this.#entries = entries.sort((a, b) => open(a) - open(b))
  }

  /**
   * Undefined: no route has this path. A list of methods: none of the path has this method.
   *
   * @param path As it came, not decoded: an id may have a slash in it, as `%2F`.
   * @throws URIError for a segment that is no percent-encoding.
   */
  find(method: string, path: string): Match | readonly string[] | undefined {
    const parts = path.slice(1).split('/')
    for (const { segments, byMethod } of this.#entries) {
      if (!isSamePath(segments, parts)) continue
      const found = byMethod.get(method)
      if (found === undefined) return [...byMethod.keys()]
      const params = segments.flatMap((segment, i) =>
        isOpen(segment) ? [[segment.slice(1, -1), decodeURIComponent(parts[i]!)] as const] : [],
      )
      return { route: found, params: Object.fromEntries(params) }
    }
    return undefined
  }
}

function isOpen(segment: string): boolean {
  return segment.startsWith('{')
}

function isSamePath(segments: readonly string[], parts: readonly string[]): boolean {
  if (segments.length !== parts.length) return false
  return segments.every((segment, i) => (isOpen(segment) ? parts[i] !== '' : segment === parts[i]))
}
