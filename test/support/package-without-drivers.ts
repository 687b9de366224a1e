import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'

const ENTRY = './dist/index.js'

/** The built package where none of its optional drivers is installed, on a Node that has no SQLite. */
export class PackageWithoutDrivers {
  // Not below the repository: Node would find its drivers.
  readonly #folder = mkdtempSync(join(tmpdir(), 'everthread-bare-'))

  constructor() {
    cpSync(join(inject('builtPackage')!, 'dist'), join(this.#folder, 'dist'), { recursive: true })
    writeFileSync(join(this.#folder, 'package.json'), '{"type":"module"}')
  }

  /** What a program prints on standard output; `openChatHistory` is imported already. */
  run(program: string): string {
    const file = join(this.#folder, 'program.mjs')
    writeFileSync(file, `import { openChatHistory } from '${ENTRY}'\n${program}`)
    const flags = process.getBuiltinModule('node:sqlite') ? ['--no-experimental-sqlite'] : []
    const options = { cwd: this.#folder, encoding: 'utf8' } as const
    const { stdout, stderr } = spawnSync(process.execPath, [...flags, file], options)
    if (stdout === '') throw new Error(stderr)
    return stdout
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
