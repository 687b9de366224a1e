import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** True where a program is in the path; a missing one is said aloud, or is an error. */
export function hasProgram(name: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  if (folders.some((folder) => existsSync(join(folder, name)))) return true
  const hint = `${name} is not installed: apt-get install -y ${name}`
  if (process.env['REQUIRE_SERVERS'] === '1') throw new Error(hint)
  console.warn(`SKIPPED: tests with the command ${name}. ${hint}`)
  return false
}
