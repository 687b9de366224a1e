import { logLine } from './log-line.ts'
import type { Logger } from './logger.ts'

/** What is tried again and again fails again and again: the same text is printed so often. Milliseconds. */
const REPEAT_MS = 60_000
/** Texts that are remembered for that. */
const TEXTS_MAX = 1_000

/**
 * The default of a store: warnings and errors, one line each, on standard error. A text that has no `event`
 * is printed once a minute, whatever its reason is.
 */
export function consoleLogger(
  // Not a write to the stream itself: one whose reader has gone would end the process.
  // oxlint-disable-next-line no-console -- it is what the logger is for
  print: (line: string) => void = (line) => console.warn(line),
  now: () => number = () => performance.now(),
): Logger {
  const saidAt = new Map<string, number>()
  const say = (fields: object, message: string): void => {
    if (!('event' in fields)) {
      const text = 'place' in fields ? `${String(fields.place)}: ${message}` : message
      if (now() - (saidAt.get(text) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return
      if (saidAt.size >= TEXTS_MAX) saidAt.clear()
      saidAt.set(text, now())
    }
    print(`everthread: ${logLine(fields, message)}`)
  }
  const nothing = (): void => {}
  return { debug: nothing, info: nothing, warn: say, error: say }
}
