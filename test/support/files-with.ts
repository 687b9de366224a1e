import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { basename } from 'node:path'

/**
 * Names of the files below a folder that have these bytes. What vanishes meanwhile has none. Another
 * process looks: opening a SQLite file here would drop the locks that SQLite has on it.
 */
export async function filesWith(directory: string, word: string): Promise<readonly string[]> {
  const args = ['-r', '-l', '-s', '-a', '-F', '-e', word, directory]
  const grep = spawn('grep', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [found] = await Promise.all([text(grep.stdout), once(grep, 'close')])
  return found.split('\n').flatMap((path) => (path === '' ? [] : [basename(path)]))
}
