import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './source-files.ts'

/** What a snippet may need: a server, whose address stands in the code, or that Vitest runs it. */
export type Needed = 'postgres' | 'redis' | 'vitest'

/** A fenced block of a document. */
export interface Snippet {
  readonly path: string
  readonly line: number
  readonly language: string
  readonly code: string
  /** Files of test/snippets that are put before and after it. */
  readonly before: string
  readonly after: string
  readonly needs: readonly Needed[]
}

const FOLDER = join(ROOT, 'test', 'snippets')
const FENCE = /(?:^<!-- snippet: (.*) -->\n\n?)?^```(.*)\n([\s\S]*?)^```$/gm

/** All blocks of a document, in order. Throws for a marker that says nothing known. */
export function snippetsOf({
  path,
  text,
}: {
  readonly path: string
  readonly text: string
}): Snippet[] {
  return [...text.matchAll(FENCE)].map((match) => {
    const [, marker = '', language, code] = match
    const line = text.slice(0, match.index).split('\n').length
    return {
      path,
      line,
      language: language!,
      code: code!,
      ...settingsOf(marker, `${path}:${line}`),
    }
  })
}

function settingsOf(marker: string, where: string): Pick<Snippet, 'before' | 'after' | 'needs'> {
  const settings = { before: '', after: '', needs: [] as Needed[] }
  for (const part of marker.split(' ').filter((text) => text !== '')) {
    const [name, value = ''] = part.split('=')
    if (name === 'before' || name === 'after')
      settings[name] = surrounding(`${name}-${value}`, where)
    else if (name === 'needs')
      settings.needs = value.split(',').map((need) => neededOf(need, where))
    else throw new Error(`${where}: there is no setting ${part}`)
  }
  return settings
}

function surrounding(name: string, where: string): string {
  const path = join(FOLDER, `${name}.ts`)
  if (!existsSync(path)) throw new Error(`${where}: there is no test/snippets/${name}.ts`)
  return readFileSync(path, 'utf8')
}

function neededOf(need: string, where: string): Needed {
  if (need === 'postgres' || need === 'redis' || need === 'vitest') return need
  throw new Error(`${where}: ${need} is not known`)
}
