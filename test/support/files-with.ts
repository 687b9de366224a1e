import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Names of the files below a folder that have these bytes. What vanishes meanwhile has none. */
export async function filesWith(directory: string, word: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => {
        const bytes = await readFile(join(parentPath, name)).catch(() => Buffer.alloc(0))
        return bytes.includes(word) ? [name] : []
      }),
  )
  return found.flat()
}
