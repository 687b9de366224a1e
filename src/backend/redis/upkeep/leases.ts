import { fenced } from '../../lease.ts'
import type {
  CallOptions,
  FencedOptions,
  Hint,
  Lease,
  LeaseFence,
  LeaseRequest,
} from '../../replica-backend.ts'
import { LEASE } from '../scripts/lease-2.ts'
import { REMOVE_HINTS } from '../scripts/remove-hints-3.ts'
import { TRUST } from '../scripts/trust-2.ts'
import type { ScriptRunner } from '../keyspace/script-runner.ts'

/** Leases are in shard 0, with the hints that they guard. */
export async function takeLease(
  runner: ScriptRunner,
  { name, holder, ttlMs, token, note = '' }: LeaseRequest,
  options?: CallOptions,
): Promise<Lease | undefined> {
  const { reply } = await runner.ask(({ identity, layout }) => {
    const keys = [layout.meta(0), layout.part(0, 'leases')]
    const args = [identity, name, holder, String(ttlMs), token?.toString() ?? '', note]
    return { script: LEASE, keys, args, writes: true }
  }, options)
  const [granted, kept] = reply as readonly (string | null)[]
  if (granted === undefined) return undefined
  return { token: Number(granted), ...(typeof kept === 'string' && { note: kept }) }
}

export async function trust(
  runner: ScriptRunner,
  other: string,
  options: FencedOptions = {},
): Promise<void> {
  const { reply } = await runner.ask(({ identity, layout }) => {
    const keys = [layout.meta(0), layout.part(0, 'leases')]
    const args = [identity, ...fenceArguments(options.fence), other]
    return { script: TRUST, keys, args, writes: true }
  }, options)
  if (reply[0] === 'FENCED') throw fenced(options.fence!)
}

export async function removeHints(
  runner: ScriptRunner,
  hints: readonly Hint[],
  options: FencedOptions = {},
): Promise<void> {
  const pairs = hints.flatMap(({ writer, count }) => [writer, String(count)])
  const { reply } = await runner.ask(({ identity, layout }) => {
    const keys = [layout.meta(0), layout.part(0, 'leases'), layout.part(0, 'hints')]
    const args = [identity, ...fenceArguments(options.fence), ...pairs]
    return { script: REMOVE_HINTS, keys, args, writes: true }
  }, options)
  if (reply[0] === 'FENCED') throw fenced(options.fence!)
}

function fenceArguments(fence: LeaseFence | undefined): string[] {
  return fence === undefined ? ['', ''] : [fence.name, String(fence.token)]
}
