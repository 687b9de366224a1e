import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Findings } from './report.ts'

export interface Result extends Findings {
  readonly name: string
  readonly command: string
  readonly commit: string
  readonly at: string
  readonly machine: Readonly<Record<string, string | number>>
}

/** What the last run of each benchmark found; nothing where none was run. */
export async function readResults(): Promise<readonly Result[]> {
  const directory = join(process.cwd(), 'bench', 'results')
  if (!existsSync(directory)) return []
  const files = (await readdir(directory)).filter((file) => file.endsWith('.json')).sort()
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')))
  return texts.map((text) => JSON.parse(text) as Result)
}
