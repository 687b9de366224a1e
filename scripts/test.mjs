// `npm test`: the whole suite, and as the very last line `N passed, N failed, N skipped`.
// Arguments go to vitest (`npm test -- src/health`). REQUIRE_SERVERS=1 makes a missing server an error.
import { ensurePostgres } from './ensure-postgres.mjs'
import { ensureRedis } from './ensure-redis.mjs'
import { runVitest, summary } from './run-vitest.mjs'

/** Fewer executed tests than this mean that some were lost: raise it as the suite grows. */
const EXECUTED_MIN = 2_000

const args = process.argv.slice(2)
const hasServers = [ensurePostgres(), ensureRedis()].every(Boolean)
if (!hasServers && process.env['REQUIRE_SERVERS'] === '1') {
  console.error('REQUIRE_SERVERS=1, but a server is not there.')
  process.exitCode = 1
}

const { counts, ok } = await runVitest({ args })
const executed = counts.passed + counts.failed
if (!ok || counts.failed > 0) process.exitCode = 1
if (args.length === 0 && executed < EXECUTED_MIN) {
  console.error(`Only ${executed} tests ran, at least ${EXECUTED_MIN} are there.`)
  process.exitCode = 1
}
console.log(summary(counts))
