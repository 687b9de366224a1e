import type { Entry, Notes, Said, SaidCall } from './said.ts'

/** What a model said before it waited for tools. */
export interface Step {
  readonly said: readonly Exclude<Said, SaidCall>[]
  /** Each has its result. */
  readonly calls: readonly AnsweredCall[]
}

/** A call with its result. */
export type AnsweredCall = SaidCall & { readonly result: NonNullable<SaidCall['result']> }

/**
 * The steps of an answer: one that is kept as one message may have several, with the results between them. Calls
 * without results are left out, since every provider refuses those.
 */
export function stepsOf({ said }: Entry, notes: Notes): Step[] {
  const steps: { said: Exclude<Said, SaidCall>[]; calls: AnsweredCall[] }[] = []
  let hasCalled = false
  for (const each of said) {
    if (steps.length === 0 || (each.kind !== 'call' && hasCalled)) {
      steps.push({ said: [], calls: [] })
      hasCalled = false
    }
    hasCalled ||= each.kind === 'call'
    const step = steps.at(-1)!
    if (each.kind !== 'call') step.said.push(each)
    else if (each.result !== undefined) step.calls.push(each as AnsweredCall)
    else
      notes.add(
        each.from,
        `the call ${JSON.stringify(each.id ?? each.name)} was left out: it has no result`,
      )
  }
  return steps.filter((step) => step.said.length > 0 || step.calls.length > 0)
}

/** A call's arguments as JSON text. */
export function argumentsOf({ text, input }: SaidCall): string {
  return text ?? JSON.stringify(input ?? {})
}

/** What a tool answered as text. */
export function answerText({ result }: AnsweredCall): string {
  return result.parts.map((part) => (part.kind === 'text' ? part.text : '')).join('')
}

/** Ids for calls that have none, counted through a conversation. */
export class CallIds {
  #count = 0

  of({ id }: SaidCall): string {
    return id ?? `call_${++this.#count}`
  }
}
