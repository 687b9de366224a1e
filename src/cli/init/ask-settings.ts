import { messageOf } from '../../core/errors.ts'
import type { CliContext } from '../cli-context.ts'
import { withPrompt, type Ask } from '../commands/prompt.ts'
import type { GivenSettings } from '../settings/resolve-settings.ts'
import { checkSettings } from '../settings/setting-options.ts'
import type { SettingName } from '../settings/settings.ts'
import { START } from './start.ts'

interface Question {
  readonly name: SettingName
  readonly text: string
}

const QUESTIONS: readonly Question[] = [
  { name: 'primary', text: 'Primary database: sqlite:PATH, postgresql://…, redis://…' },
  { name: 'backup', text: 'Backup database: the same, or s3://BUCKET' },
  { name: 'wal', text: 'Write-ahead log: file:DIRECTORY, redis-stream://…' },
  { name: 'cache', text: 'Cache: redis://…, memcached://…' },
]

/** Asks for what nobody gave. An answer that no store could have is told why, and asked for again. */
export async function askSettings(cli: CliContext, given: GivenSettings): Promise<GivenSettings> {
  const open = QUESTIONS.filter(({ name }) => given[name] === undefined)
  if (open.length === 0) return {}
  cli.terminal.note('Enter takes what stands in brackets. A password stays out of the file.')
  return await withPrompt(cli, async (ask) => {
    const answers: GivenSettings = {}
    for (const question of open) {
      const answer = await askOne(cli, ask, question)
      if (answer !== '') answers[question.name] = answer
    }
    return answers
  })
}

async function askOne(cli: CliContext, ask: Ask, { name, text }: Question): Promise<string> {
  const usual = START[name] ?? ''
  cli.terminal.note(text, 'bold')
  for (;;) {
    const answer = (await ask(`  [${usual === '' ? 'none' : usual}]: `)) || usual
    if (answer === '') return answer
    try {
      checkSettings({ [name]: answer }, { config: {}, environment: {}, flags: {} })
      return answer
    } catch (error) {
      cli.terminal.note(`  ${messageOf(error)}`, 'red')
    }
  }
}
