import type { History, Violation } from './history.ts'

/**
 * Whoever follows a conversation, keeps its messages by id and reads again what a `resync` names, ends with
 * what is there; and nothing is told a second time without one.
 */
export function* checkMirrors({ mirrors = [] }: History): Iterable<Violation> {
  for (const { process, conversation, told, there, doubled } of mirrors) {
    const who = `a follower of ${conversation} at ${process}`
    const [shown, expected] = [JSON.stringify(told), JSON.stringify(there)]
    if (shown !== expected) {
      yield { kind: 'untold', text: `${who} shows ${shown}, and there is ${expected}`, records: [] }
    }
    for (const text of doubled) {
      yield { kind: 'retold', text: `${who} was told ${text} twice`, records: [] }
    }
  }
}
