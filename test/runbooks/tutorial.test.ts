// Goal: docs/tutorial.md works word for word. Method: its commands are run in one shell, in order; what it says they
// print is compared. `docker` is a server of this test's own, and what stands here already is not fetched again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { makePackageFolder } from '../support/package-folder.ts'
import { hasPostgres } from '../support/postgres-binaries.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { signal } from '../support/process-tree.ts'
import { ROOT } from '../support/source-files.ts'

const TUTORIAL = readFileSync(join(ROOT, 'docs', 'tutorial.md'), 'utf8')
/** A limit for what never ends. Milliseconds. */
const RUN_MS = 180_000

interface Step {
  readonly commands: string
  /** What the tutorial says they print, a line each; other lines may stand between. */
  readonly printed: readonly string[]
}

function stepsOf(text: string): Step[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```(?:\n\n```text\n([\s\S]*?)^```)?/gm)]
  return blocks.map(([, commands, printed = '']) => ({
    commands: commands!,
    printed: printed.split('\n').filter((line) => line !== ''),
  }))
}

test.runIf(hasPostgres())(
  'the tutorial, word for word',
  async () => {
    const port = await freePort()
    const steps = stepsOf(TUTORIAL.replaceAll('localhost:3000', `localhost:${port}`))
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const output = await runShell(await scriptOf(steps, port, postgres))

    const parts = output.split(/== \d+\n/)
    expect(parts).toHaveLength(steps.length + 1)
    for (const [i, { printed }] of steps.entries()) {
      for (const line of printed) expect(parts[i]).toContain(whateverTheLoad(line))
    }
    const all = parts.join('')
    expect(all.match(/"state":"streaming"/g)).toHaveLength(1)
    expect(all).toMatch(/^missing in primary +0\nmissing in backup +0\ndiffering +0$/m)
    expect(parts[steps.length - 1]!.match(/You said: /g)).toHaveLength(3)
  },
  RUN_MS,
)

/** What of a line is printed on a busy machine, too: there the primary may be late, and is left out. */
function whateverTheLoad(line: string): string {
  return line.replace(/(?<= is in )primary and wal$|(?<="overall":")ok"\}$/, '')
}

/** The commands with the addresses of this run. */
async function scriptOf(
  steps: readonly Step[],
  port: number,
  postgres: PostgresServer,
): Promise<string> {
  const docker = await dockerOf(postgres)
  const commands = steps
    .map(({ commands: own }, i) => `${own}echo "== ${i}"\n`)
    .join('')
    .replace(/^export DATABASE_URL=.*$/m, `export DATABASE_URL=${postgres.url}`)
    // On a machine that is busy with other tests no number of seconds is the right one.
    .replace(
      /^sleep 1\.5$/m,
      `until curl -s localhost:${port}/chat/demo | grep -q streaming; do sleep 0.1; done`,
    )
  return `
set -eu
export PORT=${port} WORD_MS=200
npm() { :; }
docker() { curl -sf "${docker}/$1"; }
trap 'kill -9 $SERVER 2>/dev/null || true' EXIT
${commands}`
}

/** What `docker` does to the server, by HTTP. */
async function dockerOf(postgres: PostgresServer): Promise<string> {
  const calls: Readonly<Record<string, () => Promise<void>>> = {
    '/run': async () => undefined,
    '/stop': () => postgres.kill(),
    '/start': () => postgres.restart(),
    '/rm': async () => undefined,
  }
  const server = createServer((request, response) => {
    void calls[request.url!]!().then(() => response.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function runShell(script: string): Promise<string> {
  const folder = makePackageFolder()
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const shell = spawn('bash', ['-c', script], { cwd: folder, detached: true })
  onTestFinished(() => signal(-shell.pid!, 'SIGKILL'))
  const [output, errors, [code]] = await Promise.all([
    textOf(shell.stdout),
    textOf(shell.stderr),
    once(shell, 'close'),
  ])
  expect({ code: code as number, output, errors }).toMatchObject({ code: 0 })
  return output
}
