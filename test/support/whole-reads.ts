import { isDeepStrictEqual } from 'node:util'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { byPosition } from '../../src/core/merge.ts'
import type { Operation } from '../../src/core/operation.ts'
import type { StoreContext } from '../../src/strategy/context.ts'
import { PrimaryFirstReadStrategy } from '../../src/strategy/read/primary-first.ts'
import type {
  CountedRead,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadMark,
  RegisterRead,
} from '../../src/strategy/read/read-port.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { reconcilerRig } from './reconciler-rig.ts'

/** A stamp. */
export const at = (second: number): ReturnType<typeof stampAt> => stampAt(second * 1_000)

/** Every kind of thing that a database can hold. */
export const OPERATIONS: readonly Operation[] = [
  ...Array.from({ length: 12 }, (_, i) => append('chat/0', at(10 + i), `m${i}`)),
  append('chat/1', at(30), 'one', 'id-1'),
  append('chat/1', at(31), 'two', 'id-2'),
  append('chat/1', at(32), 'three', 'id-3'),
  append('chat/1', at(33), 'four', 'id-4'),
  edit('chat/1', 'id-1', at(30), at(40), 'ONE'),
  remove('chat/1', 'id-2', at(31), at(41)),
  append('chat/2', at(50), 'cleared'),
  clear('chat/2', at(51)),
  append('chat/2', at(52), 'after'),
  append('chat/3', at(60), 'cleared'),
  clear('chat/3', at(61)),
  set('value/0', at(70), { a: 1 }),
  set('value/1', at(71), { b: 2 }),
]
const KEYS = ['chat/0', 'chat/1', 'chat/2', 'chat/3', 'value/0', 'value/1']
const IDS = ['id-1', 'id-2', 'id-3', 'id-4', at(10), at(15), at(21), at(52)]

/** As the monitor of a store does each second. */
export async function probe({ monitor }: StoreContext): Promise<void> {
  await monitor.probe('primary').catch(() => undefined)
  await monitor.probe('backup')
}

type Answer = ReadMark &
  Partial<Omit<ItemsRead & RegisterRead & CountedRead, 'complete'>> & {
    readonly keys?: KeysRead['keys'] | LatestRead['keys']
  }

interface Read {
  readonly what: string
  readonly complete: boolean
  readonly answer: unknown
}

/** All reads through a store; one that rejects is none. */
export async function readAll(context: StoreContext): Promise<readonly Read[]> {
  const strategy = new PrimaryFirstReadStrategy()
  const reads: Read[] = []
  const add = async (what: string, read: () => Promise<Answer>): Promise<void> => {
    // A list of hints speaks for two seconds, whatever else this machine has to do.
    if (!context.monitor.isPrimaryCurrent()) await probe(context)
    const { complete, items = [], done, register, count, keys } = await read()
    const sorted = what.startsWith('ids') ? [...items].sort(byPosition) : items
    reads.push({ what, complete, answer: { items: sorted, done, register, count, keys } })
  }
  for (const key of KEYS) {
    for (const order of ['newest', 'oldest'] as const) {
      await add(`${order} of ${key}`, () => strategy.readItems(context, { key, limit: 5, order }))
    }
    await add(`ids of ${key}`, () => strategy.readItemsById(context, key, IDS))
    await add(`value of ${key}`, () => strategy.readRegister(context, key))
    await add(`count of ${key}`, () => strategy.countItems(context, key))
  }
  await add('keys', () => strategy.listKeys(context, { prefix: '', limit: 10 }))
  await add('keys of chats', () => strategy.listKeys(context, { prefix: 'chat/', limit: 10 }))
  await add('latest', () => strategy.listLatest(context, { prefix: '', limit: 10 }))
  await add('latest of chats', () => strategy.listLatest(context, { prefix: 'chat/', limit: 10 }))
  return reads
}

/** Names of reads that differ from what there is, though the backup has all of it. */
export async function wrongReads(
  context: StoreContext,
  wanted: ReadonlyMap<string, unknown>,
): Promise<readonly string[]> {
  return (await readAll(context))
    .filter(({ what, answer }) => !isDeepStrictEqual(answer, wanted.get(what)))
    .map(({ what, complete }) => `${what}${complete ? ', complete' : ''}`)
}

/** The same reads of a whole database alone. */
export async function expected(whole: ReplicaBackend): Promise<ReadonlyMap<string, unknown>> {
  const { context, reconciler } = reconcilerRig(whole, whole)
  await reconciler.verify()
  const reads = await readAll(context)
  return new Map(reads.map(({ what, answer }) => [what, answer]))
}
