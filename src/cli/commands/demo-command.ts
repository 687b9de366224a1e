import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import type { DemoReport } from '../demo/demo-report.ts'
import type { DemoStory } from '../demo/demo-run.ts'
import type { Tally } from '../demo/judge.ts'
import { CLEARED, type Phase } from '../demo/script.ts'
import { shortText } from '../demo/short-text.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples, addParagraph } from '../help/examples.ts'

interface DemoFlags {
  readonly json?: boolean
  readonly keep?: boolean
}

/** `everthread demo` */
export function addDemoCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('demo')
    .description('Show on your own machine what happens to messages when a database is lost.')
    .option('--keep', 'leave the databases in the temporary folder')
    .option('--json', 'print data as JSON')
    .action(async (flags: DemoFlags) => {
      cli.exitCode = await showDemo(cli, flags)
    })
  addParagraph(command, 'Needs nothing but Node, and leaves nothing behind. Takes some seconds.')
  addExamples(command, ['everthread demo', 'everthread demo --keep'])
}

async function showDemo(
  cli: CliContext,
  { json = false, keep = false }: DemoFlags,
): Promise<ExitCode> {
  cli.endsItself = true
  const { runDemo } = await import('../demo/demo-run.ts')
  const { interrupt } = cli.io
  let report: DemoReport
  try {
    report = await runDemo({ story: json ? silentStory : storyOf(cli), keep, interrupt })
  } catch (error) {
    if (interrupt.aborted) return cli.interruptCode
    throw error
  }
  if (json) await cli.terminal.writeJson(report)
  else for (const line of ending(report, cli)) await cli.terminal.writeLine(line)
  return isClean(report.verdict.primary) && isClean(report.verdict.backup) ? EXIT.ok : EXIT.failure
}

const nothing = async (): Promise<void> => {}

const silentStory: DemoStory = {
  opened: nothing,
  saved: nothing,
  cleared: nothing,
  takenAway: nothing,
  readWhileAway: nothing,
  broughtBack: nothing,
  caughtUp: nothing,
}

function storyOf({ terminal }: CliContext): DemoStory {
  let step = 0
  const tell = async (title: string, ...lines: readonly string[]): Promise<void> => {
    await terminal.writeLine(terminal.colour('bold', `${++step}. ${title}`))
    for (const line of lines) await terminal.writeLine(`   ${line}`)
    await terminal.writeLine()
  }
  return {
    opened: (folder) =>
      tell(
        'A store is opened',
        `in ${folder}:`,
        'primary.db and backup.db are two SQLite databases, wal/ is the write-ahead log.',
        'A message is acknowledged once two of these three places have it on disk.',
      ),
    saved: (phase, count, receipts) => {
      const places = [...new Set(receipts.map(({ copies }) => copies.join(' + ')))].join(', or ')
      return tell(
        `${count} messages are saved ${PHASES[phase]}`,
        `Every save was acknowledged; the receipts name these places: ${places}.`,
      )
    },
    takenAway: () =>
      tell(
        'The primary is taken away',
        'Its file is closed and moved out of reach, and every call to it fails from now on, as if',
        'its server had been switched off. (That its calls fail at once is acted, the rest is real.)',
      ),
    cleared: (places) =>
      tell(
        `The conversation "${CLEARED}" is cleared`,
        `It is gone in: ${places.join(', ') || 'no database yet'}. The primary still holds it,`,
        'and must not bring it back.',
      ),
    readWhileAway: (counts, complete) =>
      tell(
        'Everything is read while the primary is away',
        ...Object.entries(counts).map(([id, count]) => `${id}: ${count} messages`),
        complete
          ? 'The store calls these reads complete.'
          : 'The store calls these reads incomplete: other programs could have saved to the primary.',
      ),
    broughtBack: () => tell('The primary is brought back', 'It lacks what was saved meanwhile.'),
    caughtUp: (ms) =>
      tell('The primary catches up by itself', `After ${ms} ms the log had nothing more for it.`),
  }
}

const PHASES: Readonly<Record<Phase, string>> = {
  there: 'while all is well',
  away: 'without the primary',
  back: 'after the primary came back',
}

const SAVED_WHILE: Readonly<Record<Phase, string>> = {
  there: 'all was well',
  away: 'primary away',
  back: 'primary back',
}

function ending(report: DemoReport, { terminal }: CliContext): string[] {
  const { messages, verdict, seconds, folder } = report
  const clean = isClean(verdict.primary) && isClean(verdict.backup)
  const rows = messages.map((message) => [
    message.conversationId,
    shortText(message.text, 36),
    SAVED_WHILE[message.savedWhile],
    message.copies.join(' + '),
    whereNow(message),
  ])
  const last = clean
    ? `All ${messages.length} acknowledged messages are where they should be`
    : 'Something went wrong: an acknowledged message is not where it should be'
  return [
    terminal.colour('bold', 'What became of each message'),
    'The store was closed, and each database was then opened alone and read:',
    '',
    ...terminal.table(
      ['conversation', 'message', 'saved while', 'its receipt', 'where it is now'],
      rows,
    ),
    '',
    ...terminal.table(
      ['counted in', 'lost', 'duplicated', 'reordered', 'came back after clear'],
      [countsOf('primary alone', verdict.primary), countsOf('backup alone', verdict.backup)],
    ),
    '',
    terminal.colour(clean ? 'green' : 'red', `${last} (${seconds.toFixed(1)} s).`),
    ...(folder === undefined ? [] : [`The databases are kept in ${folder}`]),
  ]
}

function whereNow({ cleared, inPrimary, inBackup }: DemoReport['messages'][number]): string {
  const places = [...(inPrimary ? ['primary'] : []), ...(inBackup ? ['backup'] : [])].join(' + ')
  if (cleared) return places === '' ? 'cleared everywhere' : `${places}, although cleared`
  return places === '' ? 'nowhere' : places
}

function countsOf(name: string, verdict: Tally): string[] {
  const { lost, duplicated, reordered, returned } = verdict
  return [name, String(lost), String(duplicated), String(reordered), String(returned)]
}

function isClean({ lost, duplicated, reordered, returned }: Tally): boolean {
  return lost + duplicated + reordered + returned === 0
}
