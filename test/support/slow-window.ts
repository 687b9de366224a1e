/* What a window is, worked out the slow way: with everything in memory, who answers whom first, then what fits. */
import { toolUseOf } from '../../src/chat/turns/tool-use.ts'
import type { ChatMessage, WindowOptions } from '../../src/index.ts'

/** A window, messages by their ids. */
export interface SlowWindow {
  readonly messages: string[]
  readonly truncated: boolean
  readonly leftOut: string[]
  /** The first message behind what was truncated. */
  readonly first: string | undefined
  readonly oversized: boolean
}

/** For each message its turn, by the index of its first message; undefined for those of broken turns. */
function slowTurns(messages: readonly ChatMessage[]): { turns: number[][]; broken: Set<number> } {
  const uses = messages.map(toolUseOf)
  const parent = messages.map((_, i) => i)
  const root = (i: number): number => (parent[i] === i ? i : root(parent[i]!))
  const broken = new Set<number>()
  const answers: { result: number; caller: number; call: number | undefined }[] = []
  const nameless = new Map<number, number[]>()
  uses.forEach(({ results }, i) => {
    for (const id of results) {
      const before = uses.slice(0, i)
      const caller = before.findLastIndex(({ calls }) => {
        return id === undefined ? calls.length > 0 : calls.some((call) => call.id === id)
      })
      if (caller === -1) broken.add(i)
      else if (id === undefined) nameless.set(caller, [...(nameless.get(caller) ?? []), i])
      else {
        const call = uses[caller]!.calls.findIndex((each) => each.id === id)
        answers.push({ result: i, caller, call })
      }
    }
  })
  for (const [caller, results] of nameless) {
    const open = uses[caller]!.calls.map((call, i) => ({ call, i }))
      .filter(({ i }) => !answers.some((each) => each.caller === caller && each.call === i))
      .sort((a, b) => Number(a.call.id !== undefined) - Number(b.call.id !== undefined))
    results.forEach((result, i) => answers.push({ result, caller, call: open[i]?.i }))
  }
  for (const { result, caller } of answers) parent[root(result)] = root(caller)
  uses.forEach(({ calls }, i) => {
    calls.forEach((_, at) => {
      if (!answers.some(({ caller, call }) => caller === i && call === at)) broken.add(i)
    })
  })
  const bad = new Set([...broken].map(root))
  const groups = new Map<number, number[]>()
  messages.forEach((_, i) => {
    if (!bad.has(root(i))) groups.set(root(i), [...(groups.get(root(i)) ?? []), i])
  })
  const turns = [...groups.values()].map((turn) => {
    const answered = new Set<string>()
    return turn.filter((i) => {
      const own = answers.filter(({ result }) => result === i)
      const news = own.filter(({ caller, call }) => {
        return call === undefined || uses[caller]!.calls[call]!.id === undefined
          ? true
          : !answered.has(`${caller} ${call}`)
      })
      for (const { caller, call } of own) answered.add(`${caller} ${call}`)
      return own.length === 0 || news.length > 0 || !uses[i]!.onlyResults
    })
  })
  turns.sort((a, b) => a[0]! - b[0]!)
  return { turns, broken }
}

/** The window, for tokens that are known at once. */
export function slowWindow(
  messages: readonly ChatMessage[],
  { maxMessages = Infinity, maxTokens = Infinity, keepSystem = false, startOn }: WindowOptions,
  tokensOf: (message: ChatMessage) => number,
): SlowWindow {
  const bodyAt = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer')
  const systemCount = keepSystem ? (bodyAt === -1 ? messages.length : bodyAt) : 0
  const isSystem = (i: number): boolean => i < systemCount
  const { turns } = slowTurns(messages)
  const size = (indices: readonly number[]): number =>
    indices.reduce((sum, i) => sum + tokensOf(messages[i]!), 0)
  const system = messages.slice(0, systemCount).map((_, i) => i)
  const fits = (indices: readonly number[]): boolean =>
    indices.length <= maxMessages && size(indices) <= maxTokens
  const ids = (indices: readonly number[]): string[] => indices.map((i) => messages[i]!.id)
  const nothing = { messages: [], truncated: true, leftOut: [], first: undefined, oversized: true }
  if (!fits(system)) return nothing
  let body: number[] = []
  let chosen: number[] | undefined
  let isCut = false
  const open = turns.filter((turn) => !isSystem(turn[0]!)).reverse()
  for (const turn of open) {
    if (chosen !== undefined && system.length + body.length === maxMessages) {
      isCut = true
      break
    }
    if (!fits([...system, ...turn, ...body])) {
      if (chosen === undefined) return nothing
      isCut = true
      break
    }
    body = [...turn, ...body]
    if (startOn === undefined || messages[turn[0]!]!.role === startOn) chosen = body
  }
  const from = chosen?.[0] ?? 0
  const isFull = chosen !== undefined && system.length + body.length === maxMessages
  // What is not looked at, because the window is full, is older whatever it is.
  if (isFull && from > systemCount) isCut = true
  if (chosen !== undefined && chosen.length < body.length) isCut = true
  const shown = [...system, ...(chosen ?? [])]
  const rest = messages.map((_, i) => i).filter((i) => !shown.includes(i))
  return {
    messages: ids(shown),
    truncated: isCut,
    leftOut: ids(isCut ? rest.filter((i) => i >= from) : rest),
    first: isCut ? ids([from])[0] : undefined,
    oversized: false,
  }
}
