/** One connection, however it came about: commands in, replies out, in order. */
export interface RawConnection {
  /** Rejects with whatever the driver threw; an error of the server begins with its code. */
  send(args: readonly string[]): Promise<unknown>
  /** Ends it at once; what is in flight rejects. */
  destroy(): void
}

/** Pairs of a reply that RESP 2 gives as a list and RESP 3 as a map. */
export function pairsOf(reply: unknown): Map<string, string> {
  if (Array.isArray(reply)) {
    const pairs = new Map<string, string>()
    for (let i = 0; i + 1 < reply.length; i += 2) pairs.set(String(reply[i]), String(reply[i + 1]))
    return pairs
  }
  const entries = reply instanceof Map ? [...reply] : Object.entries(reply ?? {})
  return new Map(entries.map(([name, value]) => [String(name), String(value)]))
}
