import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ChatHistory, Receipt } from '../../../src/index.ts'
import type { PostgresServer } from '../../support/postgres-server.ts'
import { Ledger, type Verdict } from './ledger.ts'

export interface FailoverOptions {
  readonly history: ChatHistory
  readonly server: PostgresServer
  readonly saves: number
  /** Times the primary is killed and started again, spread over the saves. */
  readonly kills: number
  /** Sessions that save, each one message after another, each to a conversation of its own. */
  readonly sessions: number
}

export interface FailoverReport extends Verdict {
  readonly kills: number
  readonly longestMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Saves that were acknowledged without the primary. */
  readonly withoutPrimary: number
}

/** Time between two looks at the counters. Milliseconds. */
const LOOK_MS = 1

/**
 * Saves and reads while the primary is killed and started again in a loop. What both databases hold
 * in the end is left for `ledger.compare`.
 */
export async function runKills(options: FailoverOptions): Promise<Ledger> {
  const { history, server, saves, kills } = options
  const ledger = new Ledger()
  let killed = 0
  const running = startSessions(
    options,
    ledger,
    () => ledger.saveMs.length < saves || killed < kills,
  )
  const third = saves / kills / 3
  for (let i = 0; i < kills; i++) {
    await proceed(ledger, 2 * third)
    ledger.mark('kill')
    await server.kill()
    await proceed(ledger, third)
    ledger.mark('restart')
    await server.restart()
    ledger.mark('started')
    // A primary that never serves again would be one long outage, however often it is killed.
    while (!history.status().places.primary.healthy) await sleep(LOOK_MS)
    ledger.mark('healthy again')
    killed++
  }
  await running
  return ledger
}

export interface StopReport {
  /** The hedge delay as it stood when the primary was stopped. */
  readonly hedgeMs: number
  /** Each save during SIGSTOP, in the order of their ends. */
  readonly saveMs: readonly number[]
  readonly receipts: readonly Receipt[]
}

/** Saves while the primary is stopped by SIGSTOP, one after another. */
export async function runStop(
  history: ChatHistory,
  server: PostgresServer,
  ledger: Ledger,
  { warmUp, saves }: { readonly warmUp: number; readonly saves: number },
): Promise<StopReport> {
  for (let i = 0; i < warmUp; i++) await ledger.save(history, 'stopped', `warm ${i}`)
  // The p99 of the recent calls, three times, within [25, 1000] ms: DESIGN, "hedging".
  const { p99 } = history.status().places.primary.latency
  const hedgeMs = Math.min(1_000, Math.max(25, 3 * p99))
  const from = ledger.saveMs.length
  ledger.mark('stop')
  server.pause()
  try {
    for (let i = 0; i < saves; i++) await ledger.save(history, 'stopped', `stopped ${i}`)
  } finally {
    server.resume()
  }
  return { hedgeMs, saveMs: ledger.saveMs.slice(from), receipts: ledger.receipts.slice(from) }
}

export function failoverReport(ledger: Ledger, kills: number): FailoverReport {
  const sorted = ledger.saveMs.toSorted((a, b) => a - b)
  return {
    ...ledger.verdict,
    kills,
    longestMs: sorted.at(-1) ?? 0,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    withoutPrimary: ledger.receipts.filter(({ copies }) => !copies.includes('primary')).length,
  }
}

/** Of values in rising order. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

async function startSessions(
  { history, sessions }: FailoverOptions,
  ledger: Ledger,
  goesOn: () => boolean,
): Promise<void> {
  const names = Array.from({ length: sessions }, (_, i) => `session ${i}`)
  let saving = sessions
  const save = async (name: string): Promise<void> => {
    for (let n = 0; goesOn(); n++) await ledger.save(history, name, `${name} ${n}`)
    saving--
  }
  const read = async (): Promise<void> => {
    for (let n = 0; saving > 0; n++) {
      await ledger.read(history, names[n % names.length]!)
      await nextTurn()
    }
  }
  await Promise.all([...names.map(save), read()])
}

async function proceed({ verdict }: Ledger, saves: number): Promise<void> {
  const from = verdict.saves + verdict.failedSaves
  while (verdict.saves + verdict.failedSaves < from + saves) await sleep(LOOK_MS)
}
