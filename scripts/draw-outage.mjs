/*
 * `npm run picture`: runs the demo and draws docs/images/outage.svg from what it printed. A column is a
 * message, a row a place; a full dot was in the receipt, a ring followed later.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PLACES = ['primary', 'backup', 'wal']
const NAMES = { primary: 'primary', backup: 'backup', wal: 'log' }
const LEFT = 92
const STEP = 37
const TOP = 74
const ROW = 46
const INK = '#1f2328'
const GREY = '#8b949e'
const COLOURS = { primary: '#0969da', backup: '#1a7f37', wal: '#9a6700' }

/** The messages and the counts that the demo printed. Throws when its form has changed. */
export function readDemo(output) {
  const [, table, counts] = output.split(/^-+(?: +-+)+$/m)
  if (counts === undefined) throw new Error('the demo printed other tables')
  const messages = rowsOf(table).map(([conversation, , savedWhile, receipt, now]) => ({
    conversation,
    savedWhile,
    copies: receipt.split(' + '),
    places: now.split(' + '),
  }))
  return { messages, counts: rowsOf(counts).map(([, ...numbers]) => numbers.map(Number)) }
}

/** The rows of a table up to the first empty line. */
function rowsOf(table) {
  return table
    .replace(/^\n/, '')
    .split('\n\n', 1)[0]
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
}

export function drawOutage({ messages, counts }) {
  const width = LEFT + messages.length * STEP + 20
  const height = TOP + PLACES.length * ROW + 62
  const out = messages.map(({ savedWhile }) => savedWhile === 'primary away')
  const [from, to] = [out.indexOf(true), out.lastIndexOf(true) + 1]
  const [lost, twice, moved, back] = [0, 1, 2, 3].map((i) => sum(counts.map((row) => row[i])))
  const result = `lost: ${lost} · stored twice: ${twice} · out of order: ${moved} · back after a clear: ${back}`
  const parts = [
    `<rect width="${width}" height="${height}" rx="8" fill="#ffffff" stroke="#d0d7de"/>`,
    `<rect x="${LEFT + from * STEP}" y="${TOP - 40}" width="${(to - from) * STEP}" height="${PLACES.length * ROW + 44}" fill="#ffebe9"/>`,
    phase(0, from, 'all is well'),
    phase(from, to, 'the primary is out', '#cf222e'),
    phase(to, messages.length, 'it is back'),
    ...PLACES.map((place, i) =>
      label(16, TOP + i * ROW + 21, NAMES[place], COLOURS[place], 'start', 600),
    ),
    ...messages.flatMap((message, i) => PLACES.map((place, row) => dot(message, i, place, row))),
    legend(height),
    label(width / 2, height - 14, `${messages.length} messages · ${result}`, INK, 'middle', 600),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>${messages.length} messages, the primary out in between. ${result}</title>
${parts.join('\n')}
</svg>
`
}

function phase(from, to, text, colour = INK) {
  return label(LEFT + ((from + to) / 2) * STEP, TOP - 18, text, colour, 'middle', 400)
}

function dot({ copies, places }, i, place, row) {
  const at = `cx="${LEFT + (i + 0.5) * STEP}" cy="${TOP + row * ROW + 16}" r="8"`
  const colour = places[0] === 'cleared everywhere' ? GREY : COLOURS[place]
  if (copies.includes(place)) return `<circle ${at} fill="${colour}"/>`
  if (places.includes(place)) {
    return `<circle ${at} fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="3 2"/>`
  }
  return ''
}

function legend(height) {
  const text = 'full: in the receipt · dashed: copied later · grey: cleared during the outage'
  return label(LEFT, height - 40, text, GREY, 'start', 400)
}

function label(x, y, text, colour, anchor, weight) {
  return `<text x="${x}" y="${y}" fill="${colour}" text-anchor="${anchor}" font-weight="${weight}">${text}</text>`
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
  const { status, stdout } = spawnSync(process.execPath, [main, 'demo'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the demo ended with ${status}:\n${stdout}`)
  const file = new URL('../docs/images/outage.svg', import.meta.url)
  writeFileSync(file, drawOutage(readDemo(stdout)))
}
