import { DATABASE_PLACES } from '../src/core/places.ts'
import { contentsOf } from './contents-of.ts'
import { checkHistory } from '../src/testing/history-checker/check-history.ts'
import type { CheckOptions, History, Violation } from '../src/testing/history-checker/history.ts'
import { Nemesis } from './nemesis.ts'
import type { SimulationSettings } from './settings.ts'
import { Workload } from './workload.ts'
import { World, WRITE_TIMEOUT_MS, type Node, type Step, type WorldOptions } from './world.ts'

/** Longest that the clients may take. */
const WORKLOAD_MS = 300_000
/** Time for everything to come together by itself once nothing is broken any more. */
const SETTLE_MS = 150_000
const LOOK_EVERY_MS = 500
const RECONCILE_TRIES = 10

export interface SimulationResult {
  readonly seed: number
  readonly settings: SimulationSettings
  readonly history: History
  readonly violations: readonly Violation[]
  readonly acknowledged: number
  /** Acknowledged with one copy only. */
  readonly singleCopies: number
  readonly faults: number
  /** Events of the virtual clock. */
  readonly events: number
  /** Operations of clients and faults, in order. */
  readonly steps: readonly Step[]
  readonly virtualMs: number
  /** Virtual time that it took to come together after the last fault; undefined: it did not. */
  readonly settledAfterMs: number | undefined
}

/** Runs the store through one seed: workload and faults, healing, and the check of the history. */
export async function runSeed(
  seed: number,
  given: Partial<SimulationSettings> = {},
  options: WorldOptions = {},
): Promise<SimulationResult> {
  // Errors are part of the simulated world: their stacks cost a third of the time, and nobody reads them.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return await simulate(seed, given, options)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

async function simulate(
  seed: number,
  given: Partial<SimulationSettings>,
  options: WorldOptions,
): Promise<SimulationResult> {
  const world = new World(seed, given, options)
  const { kernel, settings } = world
  world.say('world', 'settings', settings)
  await world.startServers()
  const workload = new Workload(world)
  const nemesis = new Nemesis(world)
  for (const node of world.nodes) void world.startNode(node)
  await kernel.run(1_000, () => world.nodes.every(({ history }) => history !== undefined))
  workload.start()
  nemesis.start()
  await kernel.run(kernel.now + WORKLOAD_MS, () => workload.isDone && nemesis.isDone)
  nemesis.stop()
  world.heal()
  const healedMs = kernel.now
  // A request of a process that died may still arrive; after the pass nothing would repair it.
  const { primary, backup } = world.databases
  await kernel.run(Math.max(...[primary, backup, world.redis.server].map((it) => it.arrivedMs)))
  await settle(world)
  await reconcile(world)
  const settledMs = await settle(world)
  const reading = workload.readAll()
  let isRead = false
  void reading.finally(() => {
    isRead = true
  })
  await kernel.run(kernel.now + SETTLE_MS, () => isRead)
  await settle(world)
  const history = await historyOf(world, workload.isDone && isRead)
  const writes = world.records.filter(
    (record) => record.outcome === 'ok' && 'copies' in record && record.copies !== undefined,
  ) as { copies: readonly string[] }[]
  return {
    seed,
    settings,
    history,
    violations: checkHistory(history, checkOptions(world)),
    acknowledged: writes.length,
    singleCopies: writes.filter(({ copies }) => copies.length === 1).length,
    faults: world.faults,
    events: kernel.steps,
    steps: world.steps,
    virtualMs: kernel.now,
    settledAfterMs: settledMs === undefined ? undefined : settledMs - healedMs,
  }
}

function checkOptions({ settings, lostDisk }: World): CheckOptions {
  return {
    clockToleranceMs: farthestMs(settings) + 2,
    // Two saves with one id wait for each other.
    deadlineMs: 2 * (3 * WRITE_TIMEOUT_MS + 500),
    lostDisk,
    sharedLog: settings.wal === 'redis-stream',
    commonLog: settings.wal === 'redis-stream',
    sequencer: settings.wal === 'redis-stream' && settings.fsync === 'always',
  }
}

/** A clock that is set stays wrong by as much until it is compared with another one, after it was off already. */
function farthestMs({ faults, skewMs }: SimulationSettings): number {
  return (faults.includes('clock') ? 4 : 2) * skewMs
}

/** Starts what is down, and waits until nothing is owed any more. */
async function settle(world: World): Promise<number | undefined> {
  const { kernel } = world
  const untilMs = kernel.now + SETTLE_MS
  while (kernel.now < untilMs) {
    await kernel.run(kernel.now + LOOK_EVERY_MS)
    for (const node of world.nodes) {
      if (node.process.life === undefined && !node.closing) void world.startNode(node)
    }
    if ((await leftovers(world).next()).done === true) return kernel.now
  }
  return undefined
}

/** A pass that fails is repeated: even a healed network has its slow moments. */
async function reconcile(world: World): Promise<void> {
  const { kernel, nodes } = world
  for (let attempt = 0; attempt < RECONCILE_TRIES; attempt++) {
    const { name, history } = nodes[attempt % nodes.length]!
    if (history === undefined) continue
    let outcome: 'running' | 'done' | 'failed' = 'running'
    const pass = async (): Promise<void> => {
      try {
        await history.reconcile()
        outcome = 'done'
      } catch (error) {
        world.say(name, 'reconcile failed', error)
        outcome = 'failed'
      }
    }
    void pass()
    await kernel.run(kernel.now + SETTLE_MS, () => outcome !== 'running')
    if ((outcome as string) === 'done') return
  }
}

async function historyOf(world: World, isOver: boolean): Promise<History> {
  const { primary, backup } = world.databases
  const left: string[] = []
  for await (const text of leftovers(world)) left.push(text)
  return {
    records: world.records,
    places: {
      primary: await contentsOf(primary.backend),
      backup: await contentsOf(backup.backend),
    },
    leftovers: [
      ...left,
      ...world.surprises,
      ...(isOver ? [] : ['the clients did not come to an end']),
    ],
  }
}

/** What is owed, the most costly to find out last. */
export async function* leftovers(world: World): AsyncGenerator<string> {
  for (const node of world.nodes) yield* leftAt(node)
  const { hints } = await world.databases.backup.backend.readState('nobody')
  for (const { writer, count } of hints) yield `hint of ${writer}, count ${count}`
  const { primary, backup } = world.databases
  const { pending } = world.redis.server.content
  if (pending > 0) yield `the shared log has ${pending} entries`
  if ((await contentsOf(primary.backend)) !== (await contentsOf(backup.backend)))
    yield 'primary and backup differ'
}

function leftAt({ name, history }: Node): string[] {
  if (history === undefined) return [`${name} is not open`]
  const { wal, places } = history.status()
  const left: string[] = []
  for (const place of DATABASE_PLACES) {
    const { pending } = places[place]
    if (pending > 0) left.push(`${name} owes ${pending} to the ${place}`)
  }
  if (wal.owedGroups > 0) left.push(`${name} owes ${wal.owedGroups} from memory`)
  // Nobody knows what is owed while a log that hung at the start has yet to be read.
  if (wal.state !== 'open') left.push(`the log of ${name} is ${wal.state}`)
  return left
}
