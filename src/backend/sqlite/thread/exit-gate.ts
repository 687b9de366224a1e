/*
 * Keeps the end of the process out of a call of SQLite. `process.exit` ends the threads where they stand,
 * and a native driver that is in a call then throws what nobody can catch: the process aborts (SIGABRT)
 * instead of ending with its code.
 */

/** A word is 1 while its thread is in a call; the process waits for 0. */
const BUSY = 0
/** A word is 1 once the process ends: no call begins any more. */
const ENDING = 1

/** The longest that `process.exit` waits for the call that a thread is in; milliseconds. */
const EXIT_WAIT_MAX_MS = 2_000

/** Shared by a thread and the one that started it. */
export type ExitGate = Int32Array<SharedArrayBuffer>

const gates = new Set<ExitGate>()

export function newExitGate(): ExitGate {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
}

/** The process waits at its exit for the call that this gate's thread is in, until `waitNoMore`. */
export function waitAtExit(gate: ExitGate): void {
  if (gates.size === 0) process.on('exit', closeGates)
  gates.add(gate)
}

export function waitNoMore(gate: ExitGate): void {
  if (gates.delete(gate) && gates.size === 0) process.off('exit', closeGates)
}

function closeGates(): void {
  const until = Date.now() + EXIT_WAIT_MAX_MS
  for (const gate of gates) Atomics.store(gate, ENDING, 1)
  for (const gate of gates) Atomics.wait(gate, BUSY, 1, Math.max(0, until - Date.now()))
}

/** Runs the call in the thread; undefined, and not run, once the process ends. */
export function passGate<T>(gate: ExitGate, call: () => T): T | undefined {
  Atomics.store(gate, BUSY, 1)
  try {
    return Atomics.load(gate, ENDING) === 1 ? undefined : call()
  } finally {
    Atomics.store(gate, BUSY, 0)
    Atomics.notify(gate, BUSY)
  }
}
