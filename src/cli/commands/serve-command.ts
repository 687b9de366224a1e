import { readFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { messageOf } from '../../core/errors.ts'
import { isLoopback } from '../../core/node-loopback.ts'
import type { HandlerOptions } from '../../server/handler.ts'
import type { ApiKey } from '../../server/http/credentials.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { addStoreOptions } from '../store-options.ts'
import { UsageError } from '../usage-error.ts'
import { seconds, wholeNumber } from './parse-number.ts'

interface ServeFlags extends StoreFlags {
  readonly port: number
  readonly host: string
  readonly keys?: string
  readonly basePath?: string
  readonly readOnly?: boolean
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly drain: number
}

const PORT = 3_000
const DRAIN_SECONDS = 10
/** One key that may read and write; with `_FILE` behind it, a file that has it. */
const KEY_VARIABLE = 'EVERTHREAD_API_KEY'

/** `everthread serve` */
export function addServeCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('serve')
    .description('Serve conversations over HTTP, for clients of OpenAI as they are, until Ctrl-C.')
    .option('--port <number>', '0: any that is free', wholeNumber(0, 65_535), PORT)
    .option('--host <address>', 'where it listens', '127.0.0.1')
    .option('--keys <file>', `JSON list of keys: see docs/server.md [${KEY_VARIABLE}: one key]`)
    .option('--base-path <path>', 'what all paths begin with, such as /chat')
    .option('--read-only', 'answer reads only')
    .option('--tls-cert <file>', 'certificate in PEM; with --tls-key')
    .option('--tls-key <file>', 'its key in PEM')
    .option('--drain <seconds>', 'for requests that have begun, at the end', seconds, DRAIN_SECONDS)
  addExamples(command, [
    'everthread serve',
    'everthread serve --port 8080 --keys keys.json --host 0.0.0.0',
  ])
  addStoreOptions(command).action(async (flags: ServeFlags) => {
    cli.endsItself = true
    const options = await serveOptions(cli, flags)
    cli.exitCode = await cli.withStore(flags, (history) => run(cli, history, options, flags))
  })
}

interface ServeOptions {
  readonly handler: HandlerOptions
  readonly tls?: { readonly cert: string; readonly key: string }
}

async function run(
  cli: CliContext,
  history: ChatHistory,
  { handler: options, tls }: ServeOptions,
  { port, host, drain }: ServeFlags,
): Promise<ExitCode> {
  const { interrupt } = cli.io
  const { createHandler } = await import('../../server/handler.ts')
  const { serve } = await import('../../server/serve.ts')
  const drainMs = drain * 1_000
  const ending = new AbortController()
  const handler = createHandler(history, { ...options, signal: ending.signal })
  const localNamesOnly = options.auth === 'none'
  const server = await serve(handler, {
    port,
    host,
    drainMs,
    localNamesOnly,
    ...(tls !== undefined && { tls }),
  })
  await cli.terminal.writeLine(`everthread serves ${server.url}${options.basePath ?? ''}`)
  if (options.auth === 'none') {
    cli.terminal.note('everthread: no keys are set: whoever is on this machine may read and write')
  }
  if (!interrupt.aborted) {
    await new Promise((resolve) => interrupt.addEventListener('abort', resolve, { once: true }))
  }
  const closed = server.close()
  // Not ready any more by now: who follows changes goes elsewhere.
  ending.abort()
  await closed
  // That it is told to end is how it ends.
  return EXIT.ok
}

/**
 * What is in files, read before any store is opened: one of them could be its database.
 *
 * @throws UsageError
 */
async function serveOptions(cli: CliContext, flags: ServeFlags): Promise<ServeOptions> {
  const { host, basePath, readOnly = false, tlsCert, tlsKey } = flags
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError('--tls-cert and --tls-key go together')
  }
  const keys = await readKeys(cli, flags)
  if (keys === undefined && !isLoopback(host)) {
    throw new UsageError(
      `without keys it listens on this machine only: give --keys or ${KEY_VARIABLE}, or --host 127.0.0.1`,
    )
  }
  const handler: HandlerOptions = {
    ...(keys === undefined ? { auth: 'none' } : { keys }),
    ...(basePath !== undefined && { basePath }),
    readOnly,
  }
  if (tlsCert === undefined || tlsKey === undefined) return { handler }
  const [cert, key] = [await readText(cli, tlsCert), await readText(cli, tlsKey)]
  return { handler, tls: { cert, key } }
}

async function readKeys(
  cli: CliContext,
  { keys }: ServeFlags,
): Promise<readonly ApiKey[] | undefined> {
  const { variables } = cli.io
  const file = variables[`${KEY_VARIABLE}_FILE`]
  const text = file === undefined ? variables[KEY_VARIABLE] : await readText(cli, file)
  const one = text?.trim() ?? ''
  const listed = keys === undefined ? [] : parseKeys(keys, await readText(cli, keys))
  if (one === '' && keys === undefined) return undefined
  if (one === '') return listed
  cli.terminal.hide([one])
  return [...listed, { sha256: createHash('sha256').update(one).digest('hex') }]
}

async function readText(cli: CliContext, path: string): Promise<string> {
  try {
    return await readFile(cli.path(path), 'utf8')
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}`)
  }
}

/** What is in it is never quoted. */
function parseKeys(path: string, text: string): readonly ApiKey[] {
  try {
    const keys = JSON.parse(text) as unknown
    if (Array.isArray(keys)) return keys as readonly ApiKey[]
  } catch {
    // Told below.
  }
  throw new UsageError(`${path} must be a JSON list of keys, as docs/server.md has it`)
}
