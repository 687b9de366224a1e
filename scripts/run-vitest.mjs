// Runs vitest under a given Node and counts what happened from its JSON report, not from its words.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed Failed tests, and files that failed to load.
 * @property {number} skipped
 */

/**
 * @param {{ node?: string, args?: readonly string[] }} [options]
 * @returns {Promise<{ counts: Counts, ok: boolean }>} `ok`: vitest itself ended well, too.
 */
export async function runVitest({ node = process.execPath, args = [] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'everthread-tests-'))
  const report = join(folder, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const status = await run(node, [VITEST, 'run', ...reporters, ...args])
    const counts = read(report)
    if (counts === undefined) return { counts: { passed: 0, failed: 1, skipped: 0 }, ok: false }
    return { counts, ok: status === 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {Counts} counts */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('close', resolve)
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  })
}

function read(report) {
  let json
  try {
    json = JSON.parse(readFileSync(report, 'utf8'))
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`)
    return undefined
  }
  // A file that does not load has no tests in the report: it must not pass unseen.
  const broken = json.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  )
  return {
    passed: json.numPassedTests,
    failed: json.numFailedTests + broken.length,
    skipped: json.numPendingTests + json.numTodoTests,
  }
}
