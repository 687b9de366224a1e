// Goal: the log of a process that died is taken over by exactly one other, whole, whenever either
//   dies; a log of a living process is never touched.
// Method: several processes on one simulated machine, killed one by one, also within a takeover.
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ProcessIdentity } from '../../src/core/env.ts'
import type { FailpointName } from '../../src/core/failpoint.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { Operation } from '../../src/core/operation.ts'
import { DATABASE_PLACES } from '../../src/core/places.ts'
import { stampFloor, stampMs, type Stamp } from '../../src/core/stamp.ts'
import { append, stampAt } from '../../src/testing/backend/operations.ts'
import { SimulatedDisk, type AttachedDisk } from '../../src/testing/simulated-disk.ts'
import { virtualEnv, type VirtualEnv } from '../../src/testing/virtual-env.ts'
import { readOperations, refuses } from '../../src/testing/wal/context.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'

const operation = (i: number, key = 'key'): Operation => append(key, stampAt(i), `value ${i}`)

interface Process {
  readonly env: VirtualEnv
  readonly wal: FileWal
  readonly writer: string
  readonly kill: () => void
  /** Stops running for a while; its timers have not run yet when it goes on. */
  readonly sleep: (ms: number) => void
}

interface Start {
  readonly pidNamespace?: string
  readonly bootId?: string | undefined
  readonly onFailpoint?: (name: FailpointName) => void
}

/** Processes on one machine, or on several that share a disk; a namespace other than its own cannot be seen. */
class Machine {
  nowMs = Date.UTC(2026, 0, 1)
  readonly disk: SimulatedDisk = new SimulatedDisk({ now: () => this.nowMs })
  readonly #alive = new Map<number, AttachedDisk>()
  #pids = 0

  start(options: Start = {}): Process {
    const { pidNamespace = '1', onFailpoint = () => {} } = options
    const bootId = 'bootId' in options ? options.bootId : 'boot'
    const pid = ++this.#pids
    const disk = this.disk.attach()
    this.#alive.set(pid, disk)
    const self = { bootId, pidNamespace, pid, startTime: 'a b' }
    const state = (other: ProcessIdentity): 'alive' | 'dead' | 'unknown' => {
      if (bootId === undefined || other.bootId !== bootId) return 'unknown'
      if (other.pidNamespace !== pidNamespace) return 'unknown'
      return this.#alive.has(other.pid) && other.startTime === 'a b' ? 'alive' : 'dead'
    }
    let sleptMs = 0
    const virtual = virtualEnv({
      seed: pid,
      startMs: this.nowMs,
      disk,
      process: { self, state },
      failpoints: { hit: onFailpoint },
    })
    const env = { ...virtual, monotonic: () => virtual.monotonic() + sleptMs }
    const wal = new FileWal(env, { directory: '/data/wal', segmentBytes: 4096 })
    const sleep = (ms: number): void => {
      sleptMs += ms
    }
    const kill = (): void => {
      disk.kill()
      this.#alive.delete(pid)
    }
    return { env, wal, writer: `writer-${pid}`, kill, sleep }
  }

  async opened(options: Start = {}): Promise<Process> {
    const process = this.start(options)
    await process.wal.open(process.writer)
    return process
  }

  /** Time passes for these processes together. */
  async pass(ms: number, ...processes: readonly Process[]): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.nowMs += 1000
      for (const { env } of processes) await env.advance(1000)
    }
  }

  logs(): readonly string[] {
    return [...new Set(this.disk.paths().map((path) => path.split('/')[3]!))]
  }
}

test('processes that run at the same time have a log each', async () => {
  const machine = new Machine()
  const a = await machine.opened()
  const b = await machine.opened()
  await a.wal.append([operation(1)])
  await b.wal.append([operation(2)])
  expect(await readOperations(a.wal, 'primary')).toEqual([operation(1)])
  expect(await readOperations(b.wal, 'primary')).toEqual([operation(2)])
  expect(machine.logs()).toHaveLength(2)
})

test('the logs of several dead processes become one, with what each place lacks', async () => {
  const machine = new Machine()
  const [a, b, c] = [await machine.opened(), await machine.opened(), await machine.opened()]
  await a.wal.append([operation(1)])
  await b.wal.append([operation(2)])
  await b.wal.append([operation(3)])
  await b.wal.append([operation(4)])
  b.wal.acknowledge('primary', [1, 2])
  b.wal.acknowledge('backup', [2])
  await b.wal.quarantine('backup', 3, 'poison of b')
  await machine.pass(5000, a, b, c)
  await c.wal.append([operation(5), operation(6, 'other')])
  for (const process of [a, b, c]) process.kill()

  const d = machine.start()
  const opened = await d.wal.open(d.writer)
  expect(new Set(opened.formerWriters)).toEqual(new Set(['writer-1', 'writer-2', 'writer-3']))
  expect(opened.head).toBe(stampAt(6))
  expect(opened.ceilingMs).toBeGreaterThan(Date.UTC(2026, 0, 1))
  const sorted = async (place: 'primary' | 'backup'): Promise<unknown> =>
    (await readOperations(d.wal, place)).toSorted((x, y) => (x.stamp < y.stamp ? -1 : 1))
  expect(await sorted('primary')).toEqual(
    [1, 4, 5].map((i) => operation(i)).concat(operation(6, 'other')),
  )
  expect(await sorted('backup')).toEqual(
    [1, 2, 5].map((i) => operation(i)).concat(operation(6, 'other')),
  )
  expect(d.wal.stats().places.backup.quarantinedEntries).toBe(1)
  expect(await d.wal.pending('backup', 'key')).toHaveLength(4)
  expect(machine.logs()).toHaveLength(1)
})

test.each([0, 1])(
  'the clock goes on above that of dead process %i, whichever log is taken over first',
  async (ahead) => {
    const machine = new Machine()
    const startMs = machine.nowMs
    const dead: Process[] = []
    for (const i of [0, 1]) {
      machine.nowMs = startMs + (i === ahead ? 3_600_000 : 0)
      dead.push(await machine.opened())
    }
    for (const { kill } of dead) kill()
    machine.nowMs = startMs
    const next = machine.start()
    expect((await next.wal.open(next.writer)).ceilingMs).toBeGreaterThan(startMs + 3_600_000)
  },
)

test('a start after a kill is not ahead of the clock, and so of other processes', async () => {
  const machine = new Machine()
  const process = await machine.opened()
  await process.wal.append([operation(1)])
  process.kill()
  const next = machine.start()
  expect((await next.wal.open(next.writer)).ceilingMs).toBeLessThanOrEqual(machine.nowMs)
})

test.each(['closed', 'killed'])(
  'each start goes on above one that was ahead itself, and %s',
  async (end) => {
    const machine = new Machine()
    const startMs = machine.nowMs
    let reachedMs = startMs + 3_600_000
    machine.nowMs = reachedMs
    for (let life = 0; life < 4; life++) {
      const { wal, writer, kill } = machine.start()
      const { ceilingMs, head } = await wal.open(writer)
      const knownMs = Math.max(ceilingMs, head === undefined ? 0 : stampMs(head))
      if (life > 0) expect(knownMs).toBeGreaterThanOrEqual(reachedMs)
      // What a store does: its stamps go on above that, also where its clock was set back.
      reachedMs = Math.max(knownMs, reachedMs) + 1
      const stamp = stampFloor(reachedMs).replace('-0000-0000-', '-7000-8000-') as Stamp
      const lsn = await wal.append([append('key', stamp, 'value')])
      for (const place of DATABASE_PLACES) wal.acknowledge(place, [lsn])
      if (end === 'closed') await wal.close()
      else kill()
      machine.nowMs = startMs
    }
  },
)

test('nor is one after it, when that start was closed in order', async () => {
  const machine = new Machine()
  const process = await machine.opened()
  await process.wal.append([operation(1)])
  process.kill()
  const second = await machine.opened()
  await second.wal.close()
  const third = machine.start()
  expect((await third.wal.open(third.writer)).ceilingMs).toBeLessThanOrEqual(machine.nowMs)
})

test('a process takes over a neighbour that dies while it runs, and its listener runs', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened(), await machine.opened()]
  await a.wal.append([operation(1)])
  await b.wal.append([operation(2)])
  const woken: string[] = []
  b.wal.onReadable((place) => woken.push(place))
  await machine.pass(30_000, a, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([operation(2)])
  a.kill()
  await machine.pass(30_000, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([operation(2), operation(1)])
  expect(new Set(woken)).toEqual(new Set(['primary', 'backup']))
  expect(machine.logs()).toHaveLength(1)
})

test('a log that was closed is free for everybody, also in the same process', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened(), await machine.opened()]
  await a.wal.append([operation(1)])
  await a.wal.close()
  await machine.pass(30_000, b)
  expect(await readOperations(b.wal, 'backup')).toEqual([operation(1)])
})

test('two logs of one process leave each other alone', async () => {
  const machine = new Machine()
  const a = await machine.opened()
  await a.wal.append([operation(1)])
  const second = new FileWal(a.env, { directory: '/data/wal', segmentBytes: 4096 })
  await second.open('second')
  await machine.pass(60_000, a)
  expect(await readOperations(second, 'primary')).toEqual([])
  expect(await readOperations(a.wal, 'primary')).toEqual([operation(1)])
  await second.close()
  await a.wal.close()
})

/** Containers of one machine. */
const CONTAINERS = [{ pidNamespace: 'container-1' }, { pidNamespace: 'container-2' }]

test('a process in another namespace is dead as soon as nobody listens at its socket', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened(CONTAINERS[0]), await machine.opened(CONTAINERS[1])]
  await a.wal.append([operation(1)])
  await machine.pass(120_000, a, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([])
  a.kill()
  await machine.pass(15_000, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([operation(1)])
})

test('a process that stands still keeps its log, whatever the clocks say', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened(CONTAINERS[0]), await machine.opened(CONTAINERS[1])]
  await a.wal.append([operation(1)])
  b.env.jumpWallClock(120_000)
  await machine.pass(600_000, b)
  b.env.jumpWallClock(-86_400_000)
  await machine.pass(20_000, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([])
  expect(await a.wal.append([operation(2)])).toBe(2)
  expect(await readOperations(a.wal, 'primary')).toEqual([operation(1), operation(2)])
})

test('without sockets a process in another namespace counts as dead after a minute without a sign of life', async () => {
  const machine = new Machine()
  machine.disk.fail('listen', { code: 'ENOTSUP', times: Infinity })
  const [a, b] = [await machine.opened(CONTAINERS[0]), await machine.opened(CONTAINERS[1])]
  await a.wal.append([operation(1)])
  await machine.pass(300_000, a, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([])
  a.kill()
  await machine.pass(50_000, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([])
  await machine.pass(30_000, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([operation(1)])
})

test.each([
  ['another boot', 'boot 1', 'boot 2'],
  ['an unknown boot', undefined, undefined],
])(
  'of a process of %s a refusal proves nothing, and a minute of silence everything',
  async (_name, boot, bootOfOther) => {
    const machine = new Machine()
    const a = await machine.opened({ bootId: boot })
    const b = await machine.opened({ bootId: bootOfOther })
    await a.wal.append([operation(1)])
    b.env.jumpWallClock(3_600_000)
    await machine.pass(300_000, a, b)
    expect(await readOperations(b.wal, 'primary')).toEqual([])
    a.kill()
    await machine.pass(50_000, b)
    const c = await machine.opened({ bootId: bootOfOther })
    expect(await readOperations(c.wal, 'primary'), 'what another process saw is no sign').toEqual(
      [],
    )
    expect(await readOperations(b.wal, 'primary')).toEqual([])
    await machine.pass(30_000, b)
    expect(await readOperations(b.wal, 'primary')).toEqual([operation(1)])
  },
)

test('a process whose log was taken over acknowledges nothing from it and goes on in a new one', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened({ bootId: 'boot 1' }), await machine.opened()]
  await a.wal.append([operation(1)])
  await machine.pass(90_000, b)
  expect(await readOperations(b.wal, 'primary')).toEqual([operation(1)])
  // Its own clock stood still as well: a suspend.
  await refuses(a.wal.append([operation(2)]), 'UNAVAILABLE', 'unknown')
  expect(a.wal.stats().reasons.join()).toContain('took it over')
  await a.env.advance(1_000)
  expect(a.wal.stats().state).toBe('open')
  expect(await a.wal.append([operation(3)])).toBe(2)
  expect(await readOperations(a.wal, 'primary')).toEqual([operation(1), operation(3)])
  a.kill()
  b.kill()
  const c = await machine.opened({ bootId: 'boot 1' })
  const stamps = (await readOperations(c.wal, 'primary')).map(({ stamp }) => stamp)
  expect(stamps).toEqual([stampAt(1), stampAt(3)])
})

test('a socket that somebody tidied away is made again', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened(CONTAINERS[0]), await machine.opened(CONTAINERS[1])]
  await a.wal.append([operation(1)])
  const [name] = machine.logs().filter((log) => log.includes('-1-a'))
  const socket = `/data/wal/${name}/alive-${name!.slice(-16)}`
  expect(await machine.disk.probe(socket)).toBe('listening')
  machine.disk.wipe(socket)
  await machine.pass(20_000, a, b)
  expect(await machine.disk.probe(socket)).toBe('listening')
  expect(await readOperations(b.wal, 'primary')).toEqual([])
})

test('wherever the process that takes over is killed, nothing is lost', async () => {
  for (let operations = 1; ; operations++) {
    const machine = new Machine()
    const [a, b] = [await machine.opened(), await machine.opened()]
    await a.wal.append([operation(1)])
    await a.wal.append([operation(2)])
    a.wal.acknowledge('primary', [1])
    await b.wal.append([operation(3)])
    await b.wal.quarantine('primary', 1, 'poison')
    await machine.pass(3000, a, b)
    a.kill()
    b.kill()
    const c = machine.start()
    machine.disk.stopAfter(operations)
    let finished = false
    void c.wal.open(c.writer).then(() => (finished = true))
    await c.env.advance(100)
    machine.disk.kill()
    c.kill()
    const d = await machine.opened()
    const key = await d.wal.pending('backup', 'key')
    // Copied twice is only waste: applying an operation twice has the effect of one.
    expect(new Set(key.map(({ stamp }) => stamp)), `stopped after ${operations}`).toEqual(
      new Set([1, 2, 3].map((i) => stampAt(i))),
    )
    const primary = new Set((await d.wal.pending('primary', 'key')).map(({ stamp }) => stamp))
    // A copy whose dead letter was not kept yet is refused by its place once more.
    expect(primary).toEqual(new Set([stampAt(2), stampAt(3)]))
    expect(d.wal.stats().places.primary.quarantinedEntries).toBeGreaterThan(0)
    if (finished) return
  }
})

test('a damaged neighbour is left as it is and named in the status', async () => {
  const machine = new Machine()
  const [a, b] = [await machine.opened(), await machine.opened()]
  for (let i = 0; i < 5; i++) await a.wal.append([operation(i)])
  await machine.pass(3000, a, b)
  a.kill()
  const [name] = machine.logs().filter((log) => log.includes('-1-1-'))
  const path = machine.disk.paths().find((p) => p.includes(name!) && p.endsWith('.wal'))!
  machine.disk.flip(path, 100)
  const before = await machine.disk.list(`/data/wal/${name}`)
  await machine.pass(60_000, b)
  expect(machine.logs()).toContain(name)
  expect(b.wal.stats().reasons.join()).toContain('damaged at offset 64')
  expect(b.wal.stats().state).toBe('open')
  await b.wal.close()
  await refuses(machine.opened(), 'CORRUPT')
  expect(machine.logs()).toContain(name)
  expect(await machine.disk.list(`/data/wal/${name}`)).toEqual(before)
})

test('failpoints are hit', async () => {
  const machine = new Machine()
  const hits = new Set<FailpointName>()
  const onFailpoint = (name: FailpointName): void => void hits.add(name)
  const a = machine.start({ onFailpoint })
  await a.wal.open(a.writer)
  await a.wal.append([operation(1)])
  await a.wal.close()
  const b = machine.start({ onFailpoint })
  await b.wal.open(b.writer)
  await b.wal.close()
  expect([...hits].sort()).toEqual([
    'wal.adopt.afterClaim',
    'wal.afterSync',
    'wal.afterWrite',
    'wal.beforeSync',
    'wal.beforeWrite',
    'wal.meta.beforeRename',
    'wal.recover',
    'wal.roll.beforeDirSync',
  ])
})

test('on a real disk directories are 0700, files 0600, and symbolic links are refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-wal-modes-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const wal = new FileWal(nodeEnv(), { directory: join(directory, 'deep/wal') })
  await wal.open('writer')
  await wal.append([operation(1)])
  await wal.quarantine('backup', 1, 'poison')
  await wal.close()
  const root = join(directory, 'deep/wal')
  const [log] = readdirSync(root)
  expect(statSync(join(root, log!)).mode & 0o777).toBe(0o700)
  for (const name of readdirSync(join(root, log!))) {
    expect(statSync(join(root, log!, name)).mode & 0o777, name).toBe(0o600)
    expect(name).toMatch(/^[0-9a-z.-]+$/)
  }
  symlinkSync('/etc/passwd', join(root, log!, '00000000000000ff-000000ff.wal'))
  await refuses(new FileWal(nodeEnv(), { directory: root }).open('writer'), 'REJECTED')
})

test.skipIf(process.platform !== 'linux')('a folder that cannot be made is refused', async () => {
  const wal = new FileWal(nodeEnv(), { directory: '/proc/none/wal' })
  await refuses(wal.open('writer'), 'UNAVAILABLE', 'none')
})
