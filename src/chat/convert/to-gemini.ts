import type { GeminiContent, GeminiPart } from '../providers/gemini.ts'
import { readPaired } from './pair-results.ts'
import { isFields, type ConversionNote, type Entry, type Notes, type Said } from './said.ts'
import { answerText, stepsOf, type AnsweredCall, type Step } from './steps.ts'
import { isMarkOf } from './to-openai.ts'

/** A request's `systemInstruction` and `contents` for Gemini. */
export interface ForGemini {
  /** Instructions of all system messages, in their order; absent without any. */
  readonly systemInstruction?: { readonly parts: GeminiPart[] }
  readonly contents: GeminiContent[]
  /** What was left out or changed. */
  readonly notes: readonly ConversionNote[]
}

/**
 * Messages of any shape as a request to Gemini has them: users and models take turns, a user begins, and the
 * responses of functions are the content right behind their calls. System messages become `systemInstruction`,
 * wherever they stood; one that stood behind others is noted.
 */
export function toGemini(messages: readonly object[]): ForGemini {
  const { entries, notes } = readPaired(messages)
  const turns = new Turns(notes)
  const system: GeminiPart[] = []
  for (const entry of entries) {
    if (entry.role === 'system' || entry.role === 'developer') {
      system.push(...entry.said.flatMap((each) => textPart(each, notes)))
      if (turns.hasBegun) notes.add(entry.id, 'instructions were moved to the beginning')
    } else if (entry.role === 'user') {
      turns.say(
        'user',
        entry.said.flatMap((each) => partOf(each, notes)),
      )
    } else {
      for (const step of stepsOf(entry, notes)) turns.saySteps(step, entry)
    }
  }
  const instruction = system.length > 0 && { systemInstruction: { parts: system } }
  return { ...instruction, contents: turns.contents, notes: notes.all }
}

/** Contents while they are made. */
class Turns {
  readonly contents: GeminiContent[] = []
  readonly #notes: Notes

  constructor(notes: Notes) {
    this.#notes = notes
  }

  get hasBegun(): boolean {
    return this.contents.length > 0
  }

  /** Adds to the content of the same role, or begins one. */
  say(role: GeminiContent['role'], parts: readonly GeminiPart[]): void {
    if (parts.length === 0) return
    const last = this.contents.at(-1)
    // As many responses as calls stand in one content: what a user says then begins another.
    const isAnswer = (part: GeminiPart | undefined): boolean => part?.functionResponse !== undefined
    const isSame = last?.role === role && isAnswer(last.parts[0]) === isAnswer(parts[0])
    if (isSame) last.parts.push(...parts)
    else this.contents.push({ role, parts: [...parts] })
  }

  saySteps(step: Step, { id }: Entry): void {
    if (!this.hasBegun) {
      this.#notes.add(id, 'an answer was left out: a user must begin')
      return
    }
    const notes = this.#notes
    const calls = step.calls.filter((call) => {
      if (call.isBuiltIn) notes.leftOut(call)
      return !call.isBuiltIn
    })
    const said = step.said.flatMap((each) => partOf(each, notes))
    this.say('model', [...said, ...calls.map((call) => callPart(call, notes))])
    this.say(
      'user',
      calls.map((call) => responsePart(call, notes)),
    )
  }
}

function callPart(call: AnsweredCall, notes: Notes): GeminiPart {
  const { form, raw, id, name, input = {} } = call
  if (form === 'gemini' && raw !== undefined) return raw as GeminiPart
  const named = { ...(id !== undefined && { id }), name }
  if (isFields(input)) return { functionCall: { ...named, args: input } }
  const what = `the arguments of ${JSON.stringify(id ?? name)} are no object`
  notes.add(call.from, `${what}: they became { arguments }`)
  return { functionCall: { ...named, args: { arguments: input } } }
}

/** A response is an object: what is none is its `output`, or its `error`. */
function responsePart(call: AnsweredCall, notes: Notes): GeminiPart {
  const { result, id, name } = call
  if (result.form === 'gemini' && result.raw !== undefined) return result.raw as GeminiPart
  for (const part of result.parts) if (part.kind === 'media') notes.leftOut(part)
  const { value, isError } = result
  const isPlain = isFields(value) && !isError
  const response = isPlain ? { ...value } : { [isError ? 'error' : 'output']: answerText(call) }
  return { functionResponse: { ...(id !== undefined && { id }), name, response } }
}

function textPart(said: Said, notes: Notes): GeminiPart[] {
  if (said.kind === 'text') return said.text === '' ? [] : [{ text: said.text }]
  if (!isMarkOf(said)) notes.leftOut(said)
  return []
}

function partOf(said: Said, notes: Notes): GeminiPart[] {
  const { form, raw } = said
  if (form === 'gemini' && raw !== undefined) return [raw as GeminiPart]
  if (said.kind !== 'media') return textPart(said, notes)
  const { data, url, name, mediaType } = said
  const named = name === undefined ? {} : { displayName: name }
  // It takes nothing without its type, and addresses only of what is on the web.
  if (mediaType !== undefined && data !== undefined) {
    return [{ inlineData: { mimeType: mediaType, data, ...named } }]
  }
  if (mediaType !== undefined && url !== undefined && /^(?:https?|gs):/.test(url)) {
    return [{ fileData: { mimeType: mediaType, fileUri: url, ...named } }]
  }
  notes.leftOut(said)
  return []
}
