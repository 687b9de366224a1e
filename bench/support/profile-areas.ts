import type { Profiler } from 'node:inspector'

/** Percent of the time in which a thread was not idle, by area; and how much it was idle. */
export interface Areas {
  readonly busy: Readonly<Record<string, number>>
  readonly idlePercent: number
}

const IDLE = '(idle)'
const COLLECTOR = '(garbage collector)'
/** Native functions that hand bytes to the system, which does its part of the work within the call. */
const SENDING = /^(writev|write\w*|fdatasync|fsync)$/

/** What each area of the code took by itself, without what it called. */
export function areasOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Areas {
  const areas = new Map(nodes.map(({ id, callFrame }) => [id, areaOf(callFrame)]))
  const spent = new Map<string, number>()
  for (const [i, id] of samples.entries()) {
    const area = areas.get(id)!
    spent.set(area, (spent.get(area) ?? 0) + timeDeltas[i]!)
  }
  const idle = spent.get(IDLE) ?? 0
  spent.delete(IDLE)
  const busy = [...spent.values()].reduce((sum, us) => sum + us, 0)
  const sorted = [...spent].sort(([, a], [, b]) => b - a)
  return {
    busy: Object.fromEntries(sorted.map(([area, us]) => [area, (100 * us) / busy])),
    idlePercent: (100 * idle) / (idle + busy),
  }
}

function areaOf({ functionName, url }: Profiler.ProfileNode['callFrame']): string {
  if (functionName === IDLE) return IDLE
  if (functionName === COLLECTOR) return 'collector of Node'
  if (url === '') return SENDING.test(functionName) ? 'sending and syncing' : 'Node itself'
  if (url.startsWith('node:')) return 'modules of Node'
  const library = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  if (library !== null) return library[1]!
  const folder = /\/src\/(backend\/[^/.]+|[^/]+)/.exec(url)
  return folder === null ? 'the benchmark' : `src/${folder[1]!}`
}
