import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/*
 * Not `mkdir` with `recursive`: where making the parent succeeds and the child is refused with `ENOENT`
 * all the same, as below /proc, that tries for ever. Here each directory is tried twice at most.
 */

/** Makes a directory and those above it that are missing. Existing is fine. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  const make = async (): Promise<Failure> => {
    try {
      await mkdir(path, { mode })
      return undefined
    } catch (error) {
      const found = await stat(path).catch(() => undefined)
      return found?.isDirectory() === true ? undefined : (error as NodeJS.ErrnoException)
    }
  }
  let failure = await make()
  if (isMissingParent(failure, path)) {
    await makeDirectory(dirname(path), mode)
    failure = await make()
  }
  if (failure !== undefined) throw failure
}

/** The same. Returns the highest directory that was made, if any. */
export function makeDirectorySync(path: string, mode: number): string | undefined {
  let made: string | undefined
  const make = (): Failure => {
    try {
      mkdirSync(path, { mode })
      made ??= path
      return undefined
    } catch (error) {
      const found = statSync(path, { throwIfNoEntry: false })
      return found?.isDirectory() === true ? undefined : (error as NodeJS.ErrnoException)
    }
  }
  let failure = make()
  if (isMissingParent(failure, path)) {
    made = makeDirectorySync(dirname(path), mode)
    failure = make()
  }
  if (failure !== undefined) throw failure
  return made
}

type Failure = NodeJS.ErrnoException | undefined

function isMissingParent(failure: Failure, path: string): boolean {
  return failure?.code === 'ENOENT' && dirname(path) !== path
}
