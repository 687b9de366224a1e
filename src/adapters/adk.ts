import { randomUUID } from 'node:crypto'
import {
  BaseSessionService,
  type AppendEventRequest,
  type CompositeSessionKey,
  type CreateSessionRequest,
  type DeleteSessionRequest,
  type Event,
  type GetSessionRequest,
  type ListSessionsRequest,
  type ListSessionsResponse,
  type Session,
} from '@google/adk'
import type { ChatHistory } from '../chat/chat-history.ts'
import { conversationKey } from '../chat/keys.ts'
import { Activity } from '../chat/records/activity.ts'
import { isStorageError, StorageError } from '../core/errors.ts'
import { checkInteger } from '../core/limits.ts'
import { itemStamp, isRemoved } from '../core/merge.ts'
import type { Stamp } from '../core/stamp.ts'
import type { Change } from '../store/changes/change.ts'
import { eventOf, itemIdOf, messageOf } from './adk/event-messages.ts'
import { adapterPrefix, entriesOf } from './adapter-parts.ts'
import { allItems, asJson, collect, nameOf, newestFirst } from './beside-messages.ts'

/** The item of a session's list that stands as long as the session does; all others are fields of its state. */
const BORN = 'born'
/** Times a session is created over messages that a deletion left. */
const TRIES_MAX = 3

/** A field of a state: its name, and its value unless that is `undefined`. */
type Field = readonly [name: string, value?: unknown]

/** What is listed of a session. */
type Head = Omit<Session, 'state' | 'events'>

/** Where a session is kept: its events in a conversation, its state, the user's and the app's as lists of fields. */
interface Place {
  readonly conversationId: string
  /** Of its head, a value, and of its state. */
  readonly key: string
  readonly user: string
  readonly app: string
}

/**
 * ADK's session service on a `ChatHistory`: `new Runner({ appName, agent, sessionService: new EverthreadSessionService(history) })`.
 * Events are messages of the conversation `APP/USER/SESSION`. The history is closed by whoever opened it.
 *
 * Every method rejects with a `StorageError` when the databases cannot answer, and never takes an outage for a session that is
 * not there.
 */
export class EverthreadSessionService extends BaseSessionService {
  readonly #history: ChatHistory
  readonly #prefix: string

  /** @param history Its tenant's conversations are those of the service. */
  constructor(history: ChatHistory) {
    super()
    this.#history = history
    this.#prefix = adapterPrefix(history.tenant, 'adk')
  }

  /**
   * Creates a session; of its state what begins with `app:` and `user:` is the app's and the user's, `temp:` is left out.
   *
   * @throws StorageError `CONFLICT` when it is there already.
   */
  override async createSession(request: CreateSessionRequest): Promise<Session> {
    const { appName, userId, state = {} } = request
    const id = request.sessionId || randomUUID()
    const place = this.#place({ appName, userId, sessionId: id })
    const head: Head = { id, appName, userId, lastUpdateTime: this.#history.store.now() }
    const changes: Change[] = [
      { kind: 'addIfAbsent', key: place.key, id: BORN, value: true },
      { kind: 'set', key: place.key, value: head },
      ...changesOf(place, state),
    ]
    const absent = { key: place.key, id: BORN, absent: true } as const
    const last = { key: this.#chat(place), last: null }
    for (let tries = 1; ; tries++) {
      try {
        await this.#history.store.write(changes, { if: [absent, last] })
        break
      } catch (error) {
        if (!isRefused(error)) throw error
        if ((await this.#born(place)) !== undefined) throw there(id)
        if (tries === TRIES_MAX) throw error
        // A deletion did not come to its end.
        await this.#history.deleteConversation(place.conversationId)
      }
    }
    const session = await this.getSession({ appName, userId, sessionId: id })
    if (session === undefined) throw missing(id)
    return session
  }

  /** Of several at once that find no session one creates it. */
  override async getOrCreateSession(request: CreateSessionRequest): Promise<Session> {
    try {
      return await super.getOrCreateSession(request)
    } catch (error) {
      if (!isRefused(error)) throw error
      return await super.getOrCreateSession(request)
    }
  }

  /** Reads events backwards from the latest one, no more than `config` asks for. */
  override async getSession(request: GetSessionRequest): Promise<Session | undefined> {
    const place = this.#place(request)
    const { store } = this.#history
    const [head, own, user, app] = await Promise.all([
      store.get<Head>(place.key),
      this.#fields(place.key),
      this.#fields(place.user),
      this.#fields(place.app),
    ])
    if (head === undefined) return undefined
    const { numRecentEvents, afterTimestamp } = request.config ?? {}
    const most = numRecentEvents || Infinity
    const events: Event[] = []
    for await (const message of newestFirst(this.#history, place.conversationId, most)) {
      const event = eventOf(message)
      if (afterTimestamp && event.timestamp < afterTimestamp) break
      events.push(event)
      if (events.length === most) break
    }
    const state = Object.fromEntries([
      ...own,
      ...app.map(([name, value]) => [`app:${name}`, value] as const),
      ...user.map(([name, value]) => [`user:${name}`, value] as const),
    ])
    return { ...head, state, events: events.reverse() }
  }

  /** Without states and events. Reads the heads of all sessions of the user, or of the app, whatever the page. */
  override async listSessions(request: ListSessionsRequest): Promise<ListSessionsResponse> {
    const { appName, userId, limit, offset = 0, page, order } = request
    const prefix = this.#sessions(appName, userId)
    const found = await collect(entriesOf<Head>(this.#history.store, prefix))
    const sessions = found.map(({ value }) => ({ ...value, state: {}, events: [] }))
    if (order !== undefined) sessions.sort(byTime(order === 'desc' ? -1 : 1))
    const totalItems = sessions.length
    if (limit === undefined) {
      const rest = offset > 0 ? sessions.slice(offset) : sessions
      return {
        sessions: rest,
        page: 1,
        limit: totalItems,
        totalItems,
        totalPages: Math.min(totalItems, 1),
      }
    }
    checkInteger('limit', limit, 0, Number.MAX_SAFE_INTEGER)
    const start = page === undefined ? offset : (page - 1) * limit
    return {
      sessions: sessions.slice(start, start + limit),
      page: page ?? (limit === 0 ? 1 : Math.floor(start / limit) + 1),
      limit,
      totalItems,
      totalPages: limit === 0 ? 0 : Math.ceil(totalItems / limit),
    }
  }

  /** Removes the session, its state and its events for good. One that is not there is no error; after an error repeat it. */
  override async deleteSession(request: DeleteSessionRequest): Promise<void> {
    const place = this.#place(request)
    // From here on nobody can append to it any more.
    await this.#history.store.delete(place.key)
    await this.#history.deleteConversation(place.conversationId)
  }

  /**
   * Appends the event, or replaces the one of its id, and changes the states by its delta, all or nothing. Other runners of the
   * session are not in the way: of two that change one field the later one stands. Reads one item, however long the session is.
   *
   * @throws StorageError `NOT_FOUND` when the session is not there; otherwise as `store.write`, and the same event can be
   *   appended again. `session` is changed only after it was written.
   */
  override async appendEvent({ session, event }: AppendEventRequest): Promise<Event> {
    if (event.partial) return event
    const { id, appName, userId } = session
    const place = this.#place({ appName, userId, sessionId: id })
    const stamp = await this.#born(place)
    if (stamp === undefined) throw missing(id)
    const delta = event.actions?.stateDelta ?? {}
    const head: Head = { id, appName, userId, lastUpdateTime: event.timestamp }
    const { conversationId, key } = place
    const moved = Activity.of(this.#history.store).saving(this.#history.tenant, conversationId)
    const changes: Change[] = [
      { kind: 'put', key: this.#chat(place), id: itemIdOf(event), value: messageOf(event) },
      { kind: 'set', key, value: head },
      ...changesOf(place, delta),
    ]
    try {
      await this.#history.store.write(changes, { if: [{ key, id: BORN, stamp }] })
    } catch (error) {
      if (isRefused(error) && (await this.#born(place)) !== stamp) throw missing(id)
      throw error
    }
    await moved
    await super.appendEvent({ session, event })
    session.lastUpdateTime = event.timestamp
    return event
  }

  /** The stamp of the session's beginning; undefined when there is none. */
  async #born({ key }: Place): Promise<Stamp | undefined> {
    const [item] = (await this.#history.store.readItemsById(key, [BORN])).items
    return item === undefined || isRemoved(item) ? undefined : itemStamp(item)
  }

  async #fields(key: string): Promise<readonly Field[]> {
    const items = await collect(allItems<Field>(this.#history.store, key))
    return items.filter(({ id }) => id !== BORN).map(({ value: [name, value] }) => [name, value])
  }

  #chat({ conversationId }: Place): string {
    return conversationKey(this.#history.tenant, conversationId)
  }

  #sessions(appName: string, userId: string | undefined): string {
    const user = userId === undefined ? '' : `${part(userId)}/`
    return `${this.#prefix}session/${part(appName)}/${user}`
  }

  #place({ appName, userId, sessionId }: CompositeSessionKey): Place {
    const app = part(appName)
    const user = `${app}/${part(userId)}`
    const conversationId = `${user}/${part(sessionId)}`
    return {
      conversationId,
      key: `${this.#prefix}session/${conversationId}`,
      user: `${this.#prefix}user/${user}`,
      app: `${this.#prefix}app/${app}`,
    }
  }
}

/** A part of a path: what is between slashes tells where it ends. */
function part(name: string): string {
  return name.replaceAll(/[%/]/g, encodeURIComponent)
}

/** What a delta does to the state of the session, of the user and of the app. */
function changesOf(place: Place, delta: Readonly<Record<string, unknown>>): Change[] {
  return Object.entries(delta).flatMap(([name, value]): Change[] => {
    if (name.startsWith('temp:')) return []
    if (name.startsWith('app:')) return [changeOf(place.app, name.slice('app:'.length), value)]
    if (name.startsWith('user:')) return [changeOf(place.user, name.slice('user:'.length), value)]
    return [changeOf(place.key, name, value)]
  })
}

function changeOf(key: string, name: string, value: unknown): Change {
  const field: Field = value === undefined ? [name] : [name, asJson(`state ${name}`, value)]
  return { kind: 'put', key, id: nameOf(name), value: field }
}

function byTime(sign: 1 | -1): (a: Head, b: Head) => number {
  return (a, b) => sign * (a.lastUpdateTime - b.lastUpdateTime) || a.id.localeCompare(b.id)
}

function isRefused(error: unknown): boolean {
  return isStorageError(error, 'CONFLICT') && error.effect === 'none'
}

function there(id: string): StorageError {
  return new StorageError('CONFLICT', `session ${JSON.stringify(id)} already exists`)
}

function missing(id: string): StorageError {
  return new StorageError('NOT_FOUND', `session ${JSON.stringify(id)} was not found`)
}
