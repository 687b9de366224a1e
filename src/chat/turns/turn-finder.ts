/*
 * Which result answers which call, and with that which messages belong together. A result answers the
 * nearest call before it that has its id; one that names none answers a call of the nearest message that
 * calls tools. A turn is a message with all that is tied to it so; most messages are one alone.
 *
 * Messages are given from the latest backwards: all results of a call are known when the call is met, so a
 * turn is whole as soon as its first message is.
 */
import type { ToolCall, ToolUse } from './tool-use.ts'

/** A message as far as turns go. */
export interface TurnMessage {
  readonly use: ToolUse
}

/** A result, and what it answers. */
export interface Answer<T> {
  readonly result: T
  /** The message that calls. */
  readonly caller: T
  /** Undefined where neither of them has one. */
  readonly callId: string | undefined
}

/** Messages that belong together. */
export interface Turn<T> {
  /** Oldest first; others may stand between them in the conversation. */
  readonly messages: readonly T[]
  readonly answers: readonly Answer<T>[]
  /** No call of it lacks its result. */
  readonly isWhole: boolean
}

/** What one more message makes known. */
export interface Added<T> {
  /** What answers its calls. */
  readonly answers: readonly Answer<T>[]
  /** Its calls that nothing answers, but for those that the provider runs. */
  readonly dangling: readonly ToolCall[]
  /** The turn that begins with it; undefined while a result of it waits for a call. */
  readonly turn: Turn<T> | undefined
}

/** A result that has not met its call. */
interface Waiter<T> {
  readonly result: T
  readonly id: string | undefined
  readonly order: number
  group: Group<T>
}

/** Messages that are tied to each other. */
interface Group<T> {
  /** `order`: how many messages were given before. */
  readonly messages: { readonly message: T; readonly order: number }[]
  readonly answers: Answer<T>[]
  readonly waiters: Waiter<T>[]
  isWhole: boolean
}

/** Finds turns in messages that are given from the latest backwards. */
export class TurnFinder<T extends TurnMessage> {
  /** Those whose calls have not come, by the id of the call. */
  readonly #waiting = new Map<string | undefined, Waiter<T>[]>()
  #count = 0

  /** Takes the next older message. */
  add(message: T): Added<T> {
    const { calls, results } = message.use
    const order = this.#count++
    if (calls.length === 0 && results.length === 0) return alone(message)
    const answered = this.#answered(calls)
    const answers = answered.map(({ waiter, call }) => {
      return { result: waiter.result, caller: message, callId: call?.id }
    })
    const isAnswered = new Set(answered.map(({ call }) => call))
    const dangling = calls.filter((call) => !call.byProvider && !isAnswered.has(call))
    const isWhole = dangling.length === 0
    const messages = [{ message, order }]
    const group: Group<T> = { messages, answers: [...answers], waiters: [], isWhole }
    for (const { waiter } of answered) tie(group, waiter)
    for (const id of results) this.#wait({ result: message, id, order, group })
    return { answers, dangling, turn: turnOf(group) }
  }

  /** The results that have waited for these calls, which wait no more. */
  #answered(calls: readonly ToolCall[]): { waiter: Waiter<T>; call: ToolCall | undefined }[] {
    if (calls.length === 0) return []
    const named = calls.flatMap((call) => {
      return call.id === undefined ? [] : this.#take(call.id).map((waiter) => ({ waiter, call }))
    })
    const isAnswered = new Set(named.map(({ call }) => call))
    const open = calls.filter((call) => !isAnswered.has(call))
    // Nothing else answers those without an id.
    open.sort((a, b) => Number(a.id !== undefined) - Number(b.id !== undefined))
    const nameless = this.#take(undefined).sort((a, b) => b.order - a.order)
    return [...named, ...nameless.map((waiter, i) => ({ waiter, call: open[i] }))]
  }

  #take(id: string | undefined): Waiter<T>[] {
    const waiters = this.#waiting.get(id) ?? []
    this.#waiting.delete(id)
    return waiters
  }

  #wait(waiter: Waiter<T>): void {
    waiter.group.waiters.push(waiter)
    const others = this.#waiting.get(waiter.id)
    if (others === undefined) this.#waiting.set(waiter.id, [waiter])
    else others.push(waiter)
  }
}

function alone<T>(message: T): Added<T> {
  return { answers: [], dangling: [], turn: { messages: [message], answers: [], isWhole: true } }
}

/** What is tied to a result that has met its call is tied to the message that calls. */
function tie<T>(group: Group<T>, met: Waiter<T>): void {
  const other = met.group
  if (other !== group) {
    group.messages.push(...other.messages)
    group.answers.push(...other.answers)
    group.isWhole &&= other.isWhole
    for (const waiter of other.waiters) {
      waiter.group = group
      group.waiters.push(waiter)
    }
  }
  group.waiters.splice(group.waiters.indexOf(met), 1)
}

/** Undefined while a result waits. */
function turnOf<T>({ messages, answers, waiters, isWhole }: Group<T>): Turn<T> | undefined {
  if (waiters.length > 0) return undefined
  const oldestFirst = [...messages].sort((a, b) => b.order - a.order)
  return { messages: oldestFirst.map(({ message }) => message), answers, isWhole }
}
