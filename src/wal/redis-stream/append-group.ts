import { effectOf, messageOf, StorageError } from '../../core/errors.ts'
import type { Operation } from '../../core/operation.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { Stamp } from '../../core/stamp.ts'
import { BehindInLog } from '../behind-in-log.ts'
import { encodeOperations, type Group, type KeyStamps } from './group.ts'
import type { Partition } from './partitions.ts'
import { APPEND, MARK, UNMARK, type StreamScript } from './scripts/scripts.ts'
import { LETTER } from './settler.ts'

/** A repeat of the same stamps within this time is the same group. Milliseconds. */
const GROUP_MS = 60_000
/** The sequencer forgets a key that nobody wrote to for this long. Milliseconds. */
const SEQUENCE_MS = 3_600_000

/** Where a group is appended to. */
export interface AppendTarget {
  readonly link: {
    call(
      partition: number,
      script: StreamScript,
      args: readonly string[],
    ): Promise<readonly unknown[]>
  }
  readonly consumer: string
  /** As they were last looked at: a call may look again. */
  readonly partitions: () => readonly Partition[]
  /** Bytes that the group's partition may have pending. */
  readonly bytesMax: number
}

export interface AppendGroupOptions {
  readonly fresh: boolean
  /** Places that lack it. Default: both. */
  readonly places?: readonly DatabasePlace[]
  /** Its number before, when it is appended again. */
  readonly former?: string
}

/** Appends a group, and returns the number of its entry. */
export async function appendGroup(
  target: AppendTarget,
  operations: readonly Operation[],
  group: Group,
  { fresh, places = ['primary', 'backup'], former = '' }: AppendGroupOptions,
): Promise<string> {
  const mode = fresh ? 'fresh' : 'given'
  const marked = group.keys.size > 1
  if (marked) await mark(target, group, mode)
  const [outcome, ...rest] = await target.link.call(group.home, APPEND, [
    target.partitions()[group.home]!.identity,
    group.name,
    mode,
    target.consumer,
    String(target.bytesMax),
    String(GROUP_MS),
    String(SEQUENCE_MS),
    String(group.bytes),
    group.head,
    encodeOperations(operations),
    places.map((place) => LETTER[place]).join(''),
    former,
    marked ? '1' : '0',
    ...stampArguments(group.keys.get(group.home)!),
  ])
  if (outcome === 'ok' || outcome === 'done') return String(rest[0])
  if (marked) await unmark(target, group)
  throw refusal(String(outcome), rest.map(String), target)
}

/** Marks come first: from here on whoever reads the keys asks for the entry. */
async function mark(target: AppendTarget, group: Group, mode: string): Promise<void> {
  const name = markOf(group)
  const others = [...group.keys].filter(([partition]) => partition !== group.home)
  const outcomes = await Promise.allSettled(
    others.map(async ([partition, keys]) => {
      const args = [target.partitions()[partition]!.identity, name, mode, String(SEQUENCE_MS)]
      const reply = await target.link.call(partition, MARK, [...args, ...stampArguments(keys)])
      if (reply[0] !== 'ok') throw refusal(String(reply[0]), reply.slice(1).map(String), target)
    }),
  )
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed === undefined) return
  await unmark(target, group)
  const error: unknown = failed.reason
  if (error instanceof BehindInLog || effectOf(error) === 'none') throw error
  // A mark without an entry means nothing.
  throw new StorageError('UNAVAILABLE', messageOf(error), {
    effect: 'none',
    place: 'wal',
    cause: error,
  })
}

/** What stays marked in spite of it is taken away by a reader when it is old. */
async function unmark(target: AppendTarget, group: Group): Promise<void> {
  const others = [...group.keys].filter(([partition]) => partition !== group.home)
  await Promise.allSettled(
    others.map(async ([partition, keys]) => {
      const names = keys.map(({ key }) => key)
      await target.link.call(partition, UNMARK, [markOf(group), '0', ...names])
    }),
  )
}

function markOf({ home, name }: Group): string {
  return `${home}/${name}`
}

function stampArguments(keys: readonly KeyStamps[]): string[] {
  return keys.flatMap(({ key, least, greatest }) => [key, least, greatest])
}

function refusal(outcome: string, rest: readonly string[], { bytesMax }: AppendTarget): Error {
  switch (outcome) {
    case 'behind': {
      const stamps = new Map<string, Stamp>()
      for (let i = 0; i + 1 < rest.length; i += 2) stamps.set(rest[i]!, rest[i + 1] as Stamp)
      return new BehindInLog(stamps)
    }
    case 'full': {
      const text = `the log has ${rest[0]} bytes that places lack (limit ${bytesMax})`
      return new StorageError('OVERLOADED', text, { place: 'wal' })
    }
    case 'lost':
      return new StorageError('UNAVAILABLE', 'the log was created again', { place: 'wal' })
    default:
      return new StorageError('CORRUPT', `the log answered ${outcome}`, { place: 'wal' })
  }
}
