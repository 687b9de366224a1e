import type { ConnectionOptions } from 'node:tls'
import { isLoopback } from '../../core/node-loopback.ts'
import type { Findings } from './finding.ts'

/** A server's clock that is further off than this is told. Milliseconds. */
const CLOCK_MS_MAX = 1_000

/** Whether somebody between could read or change what goes over the network. */
export function examineTls(
  hosts: readonly string[],
  tls: false | ConnectionOptions,
  how: string,
  found: Findings,
): void {
  const remote = hosts.filter((host) => !host.startsWith('/') && !isLoopback(host))
  if (remote.length === 0) return
  if (tls === false) {
    found.warn(
      'not-encrypted',
      `the connection to ${remote.join(', ')} is not encrypted: passwords and messages can be read`,
      how,
    )
  } else if (tls.rejectUnauthorized === false) {
    found.warn(
      'not-verified',
      `the certificate of ${remote.join(', ')} is not checked: anybody between can be the server`,
      how,
    )
  }
}

/**
 * Compares a server's clock with that of this machine.
 *
 * @param read Its clock, Unix milliseconds.
 * @param grainMs What it may have cut off.
 */
export async function examineClock(
  read: () => Promise<number>,
  found: Findings,
  grainMs = 0,
): Promise<void> {
  const before = Date.now()
  const serverMs = await read()
  const after = Date.now()
  const offMs = serverMs - (before + after) / 2
  if (Math.abs(offMs) <= CLOCK_MS_MAX + grainMs + (after - before) / 2) return
  const seconds = (Math.abs(offMs) / 1_000).toFixed(1)
  found.warn(
    'clock-off',
    `its clock is ${seconds} s ${offMs > 0 ? 'ahead of' : 'behind'} this machine's`,
    'synchronise the clocks of both with NTP (chrony, systemd-timesyncd)',
  )
}
