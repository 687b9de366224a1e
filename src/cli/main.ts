#!/usr/bin/env node
import { EXIT } from './exit-codes.ts'
import { runCli } from './run-cli.ts'

const interrupt = new AbortController()

function stop(code: number): void {
  // The second one is meant: what was acknowledged is safe, whatever is cut off.
  if (interrupt.signal.aborted) process.exit(code)
  interrupt.abort(code)
}

process.on('SIGINT', () => stop(EXIT.interrupted))
process.on('SIGTERM', () => stop(EXIT.terminated))

// A store keeps the process alive by itself; a database that is opened alone does not, and a pause
// inside of it, for a lock, would end the process.
const alive = setInterval(() => {}, 0x7fffffff)
const code = await runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  variables: process.env,
  cwd: process.cwd(),
  interrupt: interrupt.signal,
})
clearInterval(alive)
// Every write was awaited. A client that is still open must not keep a finished command alive.
process.exit(code)
