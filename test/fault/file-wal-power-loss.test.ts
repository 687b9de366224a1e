// Goal: after a power cut or a kill at any moment, every acknowledged append is in the log once and
//   in order, recovery changes nothing it reads, and the next process goes on.
// Method: processes append, acknowledge and let time pass on a simulated disk that stops after a
//   random number of operations; then any part of what was not synced is lost, in any order.
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DATABASE_PLACES } from '../../src/core/places.ts'
import { recoverLog } from '../../src/wal/file/recovery.ts'
import { WalMachine, WAL_DIRECTORY, type WalProcess } from '../support/wal-machine.ts'

const RUNS = Number(process.env['WAL_CRASH_RUNS'] ?? 150)

test('power cuts and kills lose nothing that was acknowledged', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1e9 }), async (seed) => {
      await live(new WalMachine(seed), false)
    }),
    { numRuns: RUNS },
  )
})

test(
  'nor do they together with failing syncs, writes and full disks',
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e9 }), async (seed) => {
        await live(new WalMachine(seed), true)
      }),
      // Letters that had all been settled, and whose last one was never on the disk.
      { numRuns: RUNS, examples: [[64_913_494]] },
    )
  },
)

async function live(machine: WalMachine, faults: boolean): Promise<void> {
  const rounds = machine.int(2, 6)
  for (let round = 0; round < rounds; round++) {
    const process = machine.process()
    machine.disk.heal()
    if (machine.random() < 0.3) {
      // Dies while it opens.
      machine.disk.stopAfter(machine.int(1, 60))
      void process.wal.open(process.writer).catch(() => {})
      await machine.pass(process, 10)
      crash(machine)
      continue
    }
    const opened = await machine.open(process)
    await machine.check(process, opened)
    await work(machine, process, faults)
    machine.died()
    crash(machine)
    await checkRecovery(machine)
  }
  const last = machine.process()
  machine.disk.heal()
  await machine.check(last, await machine.open(last))
  await last.env.drive(last.wal.close())
}

async function work(machine: WalMachine, process: WalProcess, faults: boolean): Promise<void> {
  machine.disk.stopAfter(machine.int(1, 400))
  const steps = machine.int(1, 40)
  for (let step = 0; step < steps && !machine.disk.isStopped; step++) {
    const dice = machine.random()
    if (dice < 0.5) {
      for (let i = machine.int(1, 8); i > 0; i--) void machine.append(process, machine.int(0, 700))
      if (machine.random() < 0.7) await machine.pass(process, 0)
    } else if (dice < 0.75) {
      for (const known of machine.known) {
        for (const place of DATABASE_PLACES) {
          const fate = machine.random()
          if (fate < 0.6) machine.acknowledge(process, known, place)
          else if (fate < 0.62) void machine.quarantine(process, known, place)
        }
      }
    } else if (dice < 0.9) {
      await machine.pass(process, machine.int(1, 4000))
    } else if (faults) {
      const skip = machine.int(0, 3)
      const fault = machine.random()
      if (fault < 0.4) machine.disk.fail('sync', { skip, times: machine.int(1, 3) })
      else if (fault < 0.6) machine.disk.fail('write', { skip, times: machine.int(1, 3) })
      else if (fault < 0.7) machine.disk.fail('sync-directory', { skip })
      else if (fault < 0.8) machine.disk.fail('rename', { skip, code: 'ENOSPC' })
      else if (fault < 0.9) machine.disk.fail('create', { skip, code: 'ENOSPC' })
      else machine.disk.fail('remove', { skip })
    }
  }
}

function crash(machine: WalMachine): void {
  if (machine.random() < 0.7) machine.disk.crash(machine.random)
  else machine.disk.kill()
}

/** Reading a log twice gives the same and changes nothing. */
async function checkRecovery(machine: WalMachine): Promise<void> {
  const { env } = machine.process()
  const before = fingerprint(machine)
  for (const { name } of await env.disk.list(WAL_DIRECTORY)) {
    if (!name.startsWith('w-')) continue
    const path = `${WAL_DIRECTORY}/${name}`
    const first = await recoverLog(env, path, 'reader')
    const second = await recoverLog(env, path, 'reader')
    expect([...second.index.lsns()]).toEqual([...first.index.lsns()])
    expect(second.tail).toEqual(first.tail)
    expect(second.head).toBe(first.head)
  }
  expect(fingerprint(machine)).toEqual(before)
}

function fingerprint(machine: WalMachine): readonly string[] {
  return machine.disk.paths().map((path) => `${path} ${crc32(machine.disk.bytes(path))}`)
}
