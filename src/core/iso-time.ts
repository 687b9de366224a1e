/** A given time as ISO 8601 in UTC. Unix milliseconds. */
export function isoTime(ms: number): string {
  // oxlint-disable-next-line no-restricted-globals -- it formats a time and reads no clock
  return new Date(ms).toISOString()
}
