import { DATABASE_PLACES } from '../../core/places.ts'
import type { PlaceStatus, StoreStatus } from '../../store/status.ts'
import { printableLine } from './printable.ts'
import type { Colour, Terminal } from './terminal.ts'

const COLOURS: Readonly<Record<StoreStatus['overall'], Colour>> = {
  ok: 'green',
  degraded: 'yellow',
  down: 'red',
}

/** A status for one look: the verdict, a row for each place, then what is not as it should be. */
export function statusLines(status: StoreStatus, terminal: Terminal): string[] {
  const { places, wal, strategies } = status
  const heading = ['place', 'type', 'state', 'circuit', 'durable', 'pending', 'lag', 'p95']
  const rows = [
    ...DATABASE_PLACES.map((name) => [name, ...cellsOf(places[name])]),
    ['wal', wal.type, wal.state, '', wal.durable ? 'yes' : 'no', `${wal.entries}`, '', ''],
  ]
  const states = [...DATABASE_PLACES.map((name) => isWell(places[name])), wal.state === 'open']
  const troubles = troublesOf(status)
  return [
    `overall    ${terminal.colour(COLOURS[status.overall], status.overall)}`,
    `strategies reads ${strategies.read}, writes ${strategies.write}`,
    `log        ${bytes(wal.bytes)} of ${bytes(wal.bytesMax)}`,
    `reconcile  ${reconcileOf(status)}`,
    '',
    ...terminal.table(heading, rows, (row) => (states[row] === true ? undefined : 'red')),
    ...(troubles.length === 0 ? [] : ['', ...troubles.map((text) => `! ${printableLine(text)}`)]),
    '',
    ...[
      ...DATABASE_PLACES.map((name) => [name, places[name].reasons] as const),
      ['wal', wal.reasons] as const,
    ].map(([name, reasons]) =>
      terminal.colour('dim', printableLine(`${name}: ${reasons.join('; ')}`)),
    ),
  ]
}

function isWell({ connected, healthy, quarantined }: PlaceStatus): boolean {
  return connected && healthy && quarantined === 0
}

function cellsOf(place: PlaceStatus): string[] {
  const state = !place.connected ? 'not connected' : place.healthy ? 'healthy' : 'unhealthy'
  return [
    place.type,
    place.fallback ? `${state} (memory)` : state,
    place.circuit,
    place.durable ? 'yes' : 'no',
    String(place.pending),
    `${(place.lagMs / 1000).toFixed(1)} s`,
    `${place.latency.p95.toFixed(1)} ms`,
  ]
}

function troublesOf(status: StoreStatus): string[] {
  const { places, wal, clocks, foreignHints, trusted, erasing } = status
  const found: string[] = []
  for (const name of DATABASE_PLACES) {
    const { quarantined, lastError, fallback } = places[name]
    if (fallback) found.push(`${name}: MEMORY stands in for it, and is lost with the process`)
    if (quarantined > 0) {
      found.push(
        `${name}: refuses ${quarantined} entries for good; see everthread wal dead-letters`,
      )
    }
    const { state, reason } = places[name].search
    if (state === 'building') found.push(`${name}: ${reason}`)
    if (lastError !== undefined) found.push(`${name}: ${lastError}`)
  }
  if (wal.lastError !== undefined) found.push(`wal: ${wal.lastError}`)
  if (wal.owedGroups > 0) {
    found.push(
      `the log is out: only memory has what places lack (${wal.owedGroups} groups); do not restart`,
    )
  }
  if (wal.bytesMax > 0 && wal.bytes > wal.bytesMax / 2) {
    found.push('the log is more than half full: at its limit saves are refused')
  }
  if (!clocks.agree) found.push(`clocks disagree: ${aheadOf(clocks)}; nothing goes by its age`)
  if (foreignHints > 0) found.push(`${foreignHints} other writers have changes for the primary`)
  if (!trusted) found.push('primary and backup are not known to be equal: a reconcile is due')
  if (erasing > 0) found.push(`${erasing} erases wait for a place; see everthread erase --list`)
  return found
}

/** How far the servers' clocks are from ours. */
function aheadOf({ aheadMs }: StoreStatus['clocks']): string {
  const places = DATABASE_PLACES.filter((name) => aheadMs[name] !== undefined)
  const parts = places.map((name) => `${name} ${(aheadMs[name]! / 1000).toFixed(0)} s ahead`)
  return parts.join(', ') || 'this machine’s was set, and no server has confirmed it'
}

function reconcileOf({ lastReconcile }: StoreStatus): string {
  if (lastReconcile === undefined) return 'none by this process'
  const { compared, copied, durationMs } = lastReconcile
  return `${compared} rows compared, ${copied} copied, in ${(durationMs / 1000).toFixed(1)} s`
}

function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = count
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}
