/*
 * `npm test` and `npm run test:long`: the short and the long part of the suite; `npm run test:bundles`: what
 * needs packages that are no dependencies. The very last line is `N passed, N failed, N skipped`. Each adds
 * what those before it have counted when TEST_COUNTS names a file for all. Arguments go to vitest, and look for files in the whole suite (`npm test -- src/health`).
 * REQUIRE_SERVERS=1 makes a missing server an error.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { ensurePostgres } from './ensure-postgres.mjs'
import { ensureRedis } from './ensure-redis.mjs'
import { runVitest, summary } from './run-vitest.mjs'

/** Fewer executed tests than these mean that some were lost: raise them as the suite grows. */
const EXECUTED_MIN = { short: 3_000, long: 1_000, bundles: 10 }

const [part = 'short', ...args] = process.argv.slice(2)
const hasServers = [ensurePostgres(), ensureRedis()].every(Boolean)
if (!hasServers && process.env['REQUIRE_SERVERS'] === '1') {
  console.error('REQUIRE_SERVERS=1, but a server is not there.')
  process.exitCode = 1
}

if (args.length === 0 || part === 'bundles') process.env['TESTS'] = part
const startedAt = performance.now()
const { counts, ok } = await runVitest({ args })
const executed = counts.passed + counts.failed
if (!ok || counts.failed > 0) process.exitCode = 1
if (args.length === 0 && executed < EXECUTED_MIN[part]) {
  console.error(`Only ${executed} tests ran, at least ${EXECUTED_MIN[part]} are there.`)
  process.exitCode = 1
}
console.log(`${Math.round((performance.now() - startedAt) / 1_000)} s`)
console.log(summary(total(counts)))

/** With what was counted before in the same run of all parts. */
function total(own) {
  const file = process.env['TEST_COUNTS']
  if (file === undefined) return own
  const before = JSON.parse(readFileSync(file, 'utf8'))
  const sum = Object.fromEntries(
    Object.entries(own).map(([name, count]) => [name, count + (before[name] ?? 0)]),
  )
  writeFileSync(file, JSON.stringify(sum))
  return sum
}
