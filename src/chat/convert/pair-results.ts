import { readEntries } from './read-entries.ts'
import { Notes, type Entry, type Said, type SaidCall, type SaidResult } from './said.ts'

/** Entries without results: each is with its call. */
export interface Paired {
  readonly entries: readonly Entry[]
  readonly notes: Notes
}

/** Reads messages, and ties each result to the nearest call before it that it names. */
export function readPaired(messages: readonly object[]): Paired {
  const notes = new Notes()
  const pairing = new Pairing(notes)
  const entries = readEntries(messages).map((entry) => ({ ...entry, said: pairing.take(entry) }))
  return { entries: entries.filter(({ said, ui }) => said.length > 0 || ui !== undefined), notes }
}

class Pairing {
  readonly #notes: Notes
  /** The latest call of each id. */
  readonly #calls = new Map<string, SaidCall>()
  /** Those of the latest message that calls: a result that names none answers one of them. */
  #latest: readonly SaidCall[] = []

  constructor(notes: Notes) {
    this.#notes = notes
  }

  /** What the entry says but for results. */
  take({ said }: Entry): Said[] {
    const calls = said.filter((each) => each.kind === 'call')
    if (calls.length > 0) this.#latest = calls
    for (const each of said) {
      if (each.kind === 'call' && each.id !== undefined) this.#calls.set(each.id, each)
      else if (each.kind === 'result') this.#answer(each)
    }
    return said.filter(({ kind }) => kind !== 'result')
  }

  #answer(result: SaidResult): void {
    const call = result.id === undefined ? this.#nameless(result) : this.#calls.get(result.id)
    if (call === undefined) {
      this.#notes.add(result.from, `${quoted(result)} was left out: its call is not there`)
    } else if (
      call.result === undefined ||
      (call.result.isInterruption && !result.isInterruption)
    ) {
      call.result = result
    } else {
      this.#notes.add(result.from, `${quoted(result)} was left out: its call has one already`)
    }
  }

  #nameless({ name }: SaidResult): SaidCall | undefined {
    const open = this.#latest.filter((call) => call.result === undefined)
    return open.find((call) => name !== undefined && call.name === name) ?? open[0]
  }
}

function quoted({ id, name }: SaidResult): string {
  return `the result of ${JSON.stringify(id ?? name ?? '')}`
}
