import { readFile } from 'node:fs/promises'
import type { TestProject } from 'vitest/node'
import { makeApplication, type Application } from './application.ts'
import { buildPackage, type BuiltPackage } from './build-package.ts'
import { INSTALL_HINT, postgresBinaries } from './postgres-binaries.ts'
import { makeTemplate, startPostgres, type PostgresServer } from './postgres-server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The shared server, or undefined where PostgreSQL is not installed. */
    postgresUrl: string | undefined
    /** The folder of the compiled package, or undefined where no test file of the run asks for it. */
    builtPackage: string | undefined
    /** What is installed from npm for `npm run test:bundles`. */
    application: Application | undefined
  }
}

let server: PostgresServer | undefined
let built: BuiltPackage | undefined
let application: Awaited<ReturnType<typeof makeApplication>> | undefined
let removeTemplate: (() => void) | undefined

/** Makes what test files share, but only what a file of this run asks for. */
export async function setup(project: TestProject): Promise<void> {
  const own = await mentions(
    project,
    /startPostgres|storeRig|PostgresServer|BuiltCli|StrictServers/,
  )
  const needed = await mentions(project, /postgresUrl|support\/postgres-backend/)
  if ((own || needed) && postgresBinaries() !== undefined) removeTemplate = makeTemplate()
  if (needed && postgresBinaries() === undefined) {
    if (process.env['REQUIRE_SERVERS'] === '1') throw new Error(INSTALL_HINT)
    console.warn(`SKIPPED: every test on PostgreSQL. ${INSTALL_HINT}`)
  } else if (needed) {
    server = await startPostgres()
  }
  const installs = await mentions(project, /inject\('application'\)/)
  if (
    installs ||
    (await mentions(project, /BuiltCli|cliTests|builtPackage|PackageWithoutDrivers/))
  ) {
    built = buildPackage({ types: installs })
  }
  if (installs) application = await makeApplication(built!.folder)
  project.provide('postgresUrl', server?.url)
  project.provide('builtPackage', built?.folder)
  project.provide(
    'application',
    application && { folder: application.folder, nodes: application.nodes },
  )
}

export async function teardown(): Promise<void> {
  await server?.stop()
  built?.remove()
  application?.remove()
  removeTemplate?.()
}

async function mentions(project: TestProject, pattern: RegExp): Promise<boolean> {
  // The paths named on the command line; none of them matching means that they were no paths.
  const filters = process.argv.slice(3).filter((argument) => !argument.startsWith('-'))
  const named = await project.globTestFiles(filters)
  const { testFiles } = named.testFiles.length > 0 ? named : await project.globTestFiles()
  const texts = await Promise.all(testFiles.map((file) => readFile(file, 'utf8')))
  return texts.some((text) => pattern.test(text))
}
