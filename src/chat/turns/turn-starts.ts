import { NO_TOOL_USE, type ToolUse } from './tool-use.ts'
import { TurnFinder, type Answer, type TurnMessage } from './turn-finder.ts'

/**
 * How far a result may stand behind its call so that pages, and what retention keeps, do not begin
 * between them. One that comes later is left where it is: it would tie all messages in between together.
 */
export const TURN_SPAN_MAX = 100

interface Indexed extends TurnMessage {
  readonly index: number
}

/** What is known of the places between messages. */
export interface TurnStarts {
  /** For each message, oldest first: true when what stands before it may be cut off. */
  readonly starts: readonly boolean[]
  /** Its call may stand before the first message: the last of those that may. −1: none. */
  readonly lastTied: number
  /** What it calls for may stand behind the last message: the first of those that may. The length: none. */
  readonly firstTied: number
}

/** Where turns begin among messages that follow each other, oldest first. */
export function turnStarts(uses: readonly ToolUse[]): TurnStarts {
  const finder = new TurnFinder<Indexed>()
  // A result begins no turn, whatever is known of its call.
  const starts = uses.map(({ results }, i) => results.length === 0 && uses[i - 1]?.leads !== true)
  /** How many results of a message have not met their calls. */
  const waits = new Map<number, number>()
  let firstTied = uses.length
  for (let index = uses.length - 1; index >= 0; index--) {
    const { answers, dangling } = finder.add({ use: uses[index]!, index })
    for (const { result } of answers) waits.set(result.index, waits.get(result.index)! - 1)
    for (const result of firstResults(answers)) {
      if (result - index <= TURN_SPAN_MAX) starts.fill(false, index + 1, result + 1)
    }
    waits.set(index, uses[index]!.results.length)
    const isNear = uses.length - index <= TURN_SPAN_MAX
    // A result may follow the last one, of whatever call.
    const isLast = index === uses.length - 1 && uses[index] !== NO_TOOL_USE
    if (isLast || (isNear && dangling.length > 0)) firstTied = index
  }
  // What a model thought may stand in front of the first, and behind nothing.
  const led = uses[0]?.isLed === true ? 0 : -1
  const near = [...waits].filter(([index, count]) => count > 0 && index < TURN_SPAN_MAX)
  return { starts, lastTied: Math.max(led, ...near.map(([index]) => index)), firstTied }
}

/** Where the results stand, without second ones of a call. */
function firstResults(answers: readonly Answer<Indexed>[]): number[] {
  const first = new Map<string, number>()
  for (const { result, callId } of answers) {
    const known = callId === undefined ? undefined : first.get(callId)
    const name = callId ?? `/${result.index}`
    first.set(name, Math.min(result.index, known ?? Infinity))
  }
  return [...first.values()]
}
