import { writeFile } from 'node:fs/promises'

/** Writes a file that must not be there yet. False, and nothing is changed, when it is. */
export async function writeNewFile(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
