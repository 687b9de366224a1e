import { isIPv4 } from 'node:net'

/** True for names and addresses of this machine alone: what is sent there crosses no network. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIPv4(host) && host.startsWith('127.')
}
