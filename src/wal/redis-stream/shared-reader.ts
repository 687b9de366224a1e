import { groupBy } from '../../core/group-by.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { keysOf } from '../pending-index.ts'
import { REFUSED_MAX, type RefusedEntry } from '../wal.ts'
import { decodeOperations } from './group.ts'
import { partitionOf } from './layout.ts'
import type { StreamLink } from './link.ts'
import { LETTERS, PENDING, RESOLVE, UNMARK } from './scripts/scripts.ts'
import { LETTER } from './settler.ts'

/** Entries of one answer. */
const PAGE_ENTRIES = 200
/** Names of one answer. */
const PAGE_KEYS = 1_000
/** A mark whose entry has not come for this long never will. Seconds. */
const STALE_MARK_S = 600

/** Reads what places lack from the server, whoever appended it. */
export class SharedReader {
  readonly #link: StreamLink

  constructor(link: StreamLink) {
    this.#link = link
  }

  /**
   * Operations on the key that the place lacks: entries of the key's own partition in log order, then
   * those of groups that begin in another one. `known` has entries that the place has by now.
   */
  async pending(
    place: DatabasePlace,
    key: string,
    known: ReadonlySet<string>,
  ): Promise<Operation[]> {
    const partition = partitionOf(key, this.#link.partitions)
    const found: Operation[] = []
    const take = (from: number, number: string, text: string): void => {
      if (text === '' || known.has(`${from}:${number}`)) return
      found.push(...decodeOperations(text).filter((operation) => operation.key === key))
    }
    let marks: readonly string[] = []
    let after = ''
    do {
      const args = [LETTER[place], key, after, String(PAGE_ENTRIES)]
      const [next, names, ...entries] = await this.#link.call(partition, PENDING, args)
      if (after === '') marks = (names as readonly unknown[]).map(String)
      for (let i = 0; i < entries.length; i += 2) {
        take(partition, String(entries[i]), String(entries[i + 1]))
      }
      after = String(next)
    } while (after !== '')
    await Promise.all(
      [...groupBy(marks, homeOf)].map(async ([home, own]) => {
        const groups = own.map((mark) => mark.slice(mark.indexOf('/') + 1))
        const reply = await this.#link.call(home, RESOLVE, [LETTER[place], ...groups])
        own.forEach((mark, i) => {
          const number = String(reply[2 * i])
          if (number === '-') this.#dropIfStale(partition, key, mark)
          else take(home, number, String(reply[2 * i + 1]))
        })
      }),
    )
    return found
  }

  /** Keys that the place lacks operations of; a few that it does not may be among them. */
  async pendingKeys(place: DatabasePlace): Promise<Set<string>> {
    const keys = new Set<string>()
    const partitions = Array.from({ length: this.#link.partitions }, (_, i) => i)
    await Promise.all(
      partitions.map(async (partition) => {
        const name = `${this.#link.base(partition)}k:${LETTER[place]}`
        let cursor = '0'
        do {
          const args = ['SSCAN', name, cursor, 'COUNT', String(PAGE_KEYS)]
          const [next, found] = (await this.#link.command(name, args)) as [unknown, unknown[]]
          for (const key of found) keys.add(String(key))
          cursor = String(next)
        } while (cursor !== '0')
      }),
    )
    return keys
  }

  /** What the place refused, whoever tried. */
  async refused(place: DatabasePlace): Promise<RefusedEntry[]> {
    const found: RefusedEntry[] = []
    for (let partition = 0; partition < this.#link.partitions; partition++) {
      const args = [LETTER[place], String(REFUSED_MAX)]
      const reply = await this.#link.call(partition, LETTERS, args)
      for (let i = 0; i + 1 < reply.length; i += 2) {
        const operations = decodeOperations(String(reply[i]))
        found.push({
          place,
          reason: String(JSON.parse(String(reply[i + 1]))),
          keys: keysOf(operations),
        })
      }
    }
    return found
  }

  #dropIfStale(partition: number, key: string, mark: string): void {
    // Nobody waits for it, and whoever reads next tries again.
    this.#link.call(partition, UNMARK, [mark, String(STALE_MARK_S), key]).catch(() => {})
  }
}

/** The partition that has the entry of a mark. */
function homeOf(mark: string): number {
  return Number(mark.slice(0, mark.indexOf('/')))
}
