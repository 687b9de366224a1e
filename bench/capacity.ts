/*
 * How far it goes past one machine: measures what each part of a save takes, simulates up to 100 nodes
 * with these times, and computes how many nodes and primaries a load needs. See docs/scaling.md for what
 * is in the model and what is not. Writes bench/results/capacity.json.
 *
 *   NETWORK_MS=0.5 CORES=8 npm run bench capacity
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '../src/testing/virtual-env.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { CAPACITY_HEAD, capacityRows } from './docs/capacity-table.ts'
import { boundOf, simulate, type Cluster, type ServiceTimes } from './support/cluster-simulation.ts'
import type { Row } from './support/measure.ts'
import { report } from './support/report.ts'
import { measureServiceTimes } from './support/service-times.ts'

const REPEATS = Number(process.env['REPEATS'] ?? 400)
const COUNT = Number(process.env['COUNT'] ?? 20_000)
/** Round trip between a node and a primary beyond that of the loopback interface: one zone of a cloud. */
const NETWORK_MS = Number(process.env['NETWORK_MS'] ?? 0.5)
const CORES = Number(process.env['CORES'] ?? 8)
const NODES = [1, 2, 5, 10, 20, 50, 100]
const PRIMARIES = [1, 10]
const CLIENTS = 64
/** A rate counts as reached while saves are no slower than this. Milliseconds. */
const P99_MS_MAX = 100
const AT_A_TIME = [16, 64, 128, 256]
const SEED = 1

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

function rowOf(cluster: Cluster, times: ServiceTimes, base: number | undefined): Row {
  const found = simulate(cluster, times, seededRandom(SEED))
  const plural = (count: number, one: string, many: string): string =>
    `${count} ${count === 1 ? one : many}`
  return {
    name: `simulated: ${plural(cluster.nodes, 'node', 'nodes')}, ${plural(cluster.primaries, 'primary', 'primaries')}`,
    promise: boundOf(found),
    concurrency: cluster.nodes * cluster.clientsOfNode,
    rate: found.savesPerSecond,
    p50: found.p50Ms,
    p99: found.p99Ms,
    ratio: base === undefined ? 1 : found.savesPerSecond / base,
    p50Ratio: 1,
  }
}

try {
  const { times, store } = await measureServiceTimes(server.url, scratch, {
    repeats: REPEATS,
    saves: COUNT,
    concurrency: CLIENTS,
  })
  const here = { nodes: 1, primaries: 1, coresOfPrimary: cpus().length, clientsOfNode: CLIENTS }
  const model = simulate(here, times, seededRandom(SEED))
  const far = { ...times, roundTripMs: times.roundTripMs + NETWORK_MS }
  const rows: Row[] = []
  for (const primaries of PRIMARIES) {
    for (const nodes of NODES.filter((count) => count >= primaries)) {
      const cluster = { nodes, primaries, coresOfPrimary: CORES, clientsOfNode: CLIENTS }
      rows.push(rowOf(cluster, far, rows[0]?.rate))
    }
  }
  const most = (clusters: readonly Pick<Cluster, 'nodes' | 'clientsOfNode'>[]): number => {
    const found = clusters.map((cluster) =>
      simulate({ primaries: 1, coresOfPrimary: CORES, ...cluster }, far, seededRandom(SEED)),
    )
    const quick = found.filter(({ p99Ms }) => p99Ms <= P99_MS_MAX)
    return Math.max(...(quick.length > 0 ? quick : found).map((each) => each.savesPerSecond))
  }
  const figures = {
    ...times,
    measuredSavesPerSecond: store.savesPerSecond,
    modelOfTheSame: model.savesPerSecond,
    savesPerSecondOfNode: most(AT_A_TIME.map((clientsOfNode) => ({ nodes: 1, clientsOfNode }))),
    savesPerSecondOfPrimary: most(NODES.map((nodes) => ({ nodes, clientsOfNode: CLIENTS }))),
    logBytesOfMessage: store.logBytes,
    databaseLogBytesOfMessage: store.databaseLogBytes,
    databaseBytesOfMessage: store.databaseBytes,
  }
  console.log(CAPACITY_HEAD.join('\t'))
  for (const row of capacityRows(figures)) console.log(row.join('\t'))
  await report('capacity', {
    rows,
    figures,
    settings: {
      repeats: REPEATS,
      count: COUNT,
      networkMs: NETWORK_MS,
      coresOfPrimary: CORES,
      clientsOfNode: CLIENTS,
    },
  })
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
