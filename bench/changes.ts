/*
 * What following costs, on SQLite: how long after a save a follower is told, in the writer's process and in another
 * one, and what 1,000 idle subscriptions cost. And how many of 600 messages of two writers with clocks 2 s apart are
 * missed, by the page behind the last position and by a subscription. Prints figures and writes
 * bench/results/changes.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Env } from '../src/core/env.ts'
import { nodeEnv } from '../src/core/node-env.ts'
import { openChatHistory, type ChatHistory } from '../src/index.ts'
import { report } from './support/report.ts'

const SAVES = Number(process.env['SAVES'] ?? 200)
const IDLE = Number(process.env['IDLE'] ?? 1_000)
const IDLE_SECONDS = Number(process.env['IDLE_SECONDS'] ?? 30)
/** Time for new subscriptions to become quiet. */
const QUIET_SECONDS = 40
const MESSAGES_EACH = 300
const SKEW_MS = 2_000

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function open(env?: Env): Promise<ChatHistory> {
  return await openChatHistory({
    primary: `sqlite:${join(scratch, 'primary.db')}`,
    backup: `sqlite:${join(scratch, 'backup.db')}`,
    wal: `file:${join(scratch, 'wal')}`,
    ...(env !== undefined && { env }),
  })
}

function skewed(ms: number): Env {
  const env = nodeEnv()
  return Object.create(env, { now: { value: () => env.now() + ms } }) as Env
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

/** Milliseconds from the acknowledgement of a save to its change, negative when that came first. */
async function latencies(
  writer: ChatHistory,
  follower: ChatHistory,
  pauseMs: number,
): Promise<readonly number[]> {
  const id = `latency-${pauseMs}-${writer === follower}`
  const told = new Map<string, number>()
  const changes = follower.subscribe({ conversationId: id })
  await changes.next()
  const taking = (async () => {
    for await (const change of changes) {
      if (change.type === 'message') told.set(change.message.id, performance.now())
    }
  })()
  const saved = new Map<string, number>()
  for (let i = 0; i < SAVES; i++) {
    const receipt = await writer.saveMessage(id, { role: 'user', content: 'Hello' })
    saved.set(receipt.id, performance.now())
    // Not in step with the looks.
    await sleep(pauseMs * (0.5 + Math.random()))
  }
  while (told.size < SAVES) await sleep(10)
  changes.close()
  await taking
  return [...saved].map(([message, at]) => told.get(message)! - at).sort((a, b) => a - b)
}

/** CPU of this process, as a share of one core, with so many subscriptions that nothing happens in. */
async function idleCpu(count: number): Promise<number> {
  const history = await open()
  for (let i = 0; i < count; i++) {
    await history.saveMessages(
      `idle-${i}`,
      Array.from({ length: 20 }, () => ({ role: 'user', content: 'Hello' }) as const),
    )
  }
  await history.flush()
  const all = Array.from({ length: count }, (_, i) =>
    history.subscribe({ conversationId: `idle-${i}` }),
  )
  await Promise.all(all.map((changes) => changes.next()))
  await sleep(QUIET_SECONDS * 1_000)
  const before = process.cpuUsage()
  await sleep(IDLE_SECONDS * 1_000)
  const { user, system } = process.cpuUsage(before)
  await history.close()
  return (user + system) / 1e6 / IDLE_SECONDS
}

/** Messages that a follower lacks at the end: by pages, and by a subscription. */
async function missed(): Promise<{ readonly byPages: number; readonly bySubscription: number }> {
  const follower = await open()
  const writers = [await open(skewed(0)), await open(skewed(-SKEW_MS))]
  const told = new Set<string>()
  const changes = follower.subscribe({ conversationId: 'skew' })
  await changes.next()
  const taking = (async () => {
    for await (const change of changes) if (change.type === 'message') told.add(change.message.id)
  })()
  const paged = new Set<string>()
  let after: string | undefined
  let isWriting = true
  const paging = (async () => {
    for (let isLast = false; !isLast;) {
      isLast = !isWriting
      const key = 'chat/0::skew'
      const { items } = await follower.store.readItems({
        key,
        limit: 1_000,
        order: 'oldest',
        ...(after !== undefined && { after: after as never }),
      })
      for (const { id } of items) paged.add(id)
      after = items.at(-1)?.position ?? after
      await sleep(50)
    }
  })()
  const count = MESSAGES_EACH * writers.length
  await Promise.all(
    writers.map(async (writer) => {
      for (let i = 0; i < MESSAGES_EACH; i++) {
        await writer.saveMessage('skew', { role: 'user', content: 'Hello' })
        await sleep(3)
      }
    }),
  )
  isWriting = false
  await paging
  const until = performance.now() + 20_000
  while (told.size < count && performance.now() < until) await sleep(50)
  changes.close()
  await taking
  for (const history of [follower, ...writers]) await history.close()
  return { byPages: count - paged.size, bySubscription: count - told.size }
}

try {
  const one = await open()
  const other = await open()
  const own = await latencies(one, one, 10)
  const busy = await latencies(one, other, 10)
  const calm = await latencies(one, other, 500)
  await one.close()
  await other.close()
  const { byPages, bySubscription } = await missed()
  const none = await idleCpu(0)
  const idle = await idleCpu(IDLE)
  await report('changes', {
    figures: {
      ownProcessP50Ms: percentile(own, 0.5),
      ownProcessP99Ms: percentile(own, 0.99),
      otherProcessBusyP50Ms: percentile(busy, 0.5),
      otherProcessBusyP99Ms: percentile(busy, 0.99),
      otherProcessCalmP50Ms: percentile(calm, 0.5),
      otherProcessCalmP99Ms: percentile(calm, 0.99),
      missedByPages: byPages,
      missedBySubscription: bySubscription,
      idleStoreCpuPercent: none * 100,
      idleSubscriptionsCpuPercent: idle * 100,
    },
    goals: [
      {
        number: 'C8',
        measure: `of ${2 * MESSAGES_EACH} messages of clocks 2 s apart, missed by a subscription (by pages: ${byPages})`,
        atMost: 0,
        value: bySubscription,
      },
    ],
    settings: { saves: SAVES, idle: IDLE, idleSeconds: IDLE_SECONDS, skewMs: SKEW_MS },
  })
} finally {
  await rm(scratch, { recursive: true, force: true })
}
