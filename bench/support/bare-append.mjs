// A process that appends a kilobyte with its sync every 10 ms, and tells at the end how long the
// longest of them took from the moment it was due: what this machine, its disk and its scheduler
// add to any save at the same time. Arguments: the file. Ends when its standard input does.
import { openSync, closeSync, writeSync, constants } from 'node:fs'

const EVERY_MS = 10
const { O_APPEND, O_CREAT, O_DSYNC, O_WRONLY } = constants
const file = openSync(process.argv[2], O_APPEND | O_CREAT | O_DSYNC | O_WRONLY)
const bytes = Buffer.alloc(1024, 1)
let dueAt = performance.now() + EVERY_MS
let longestMs = 0

const timer = setInterval(() => {
  writeSync(file, bytes)
  const now = performance.now()
  longestMs = Math.max(longestMs, now - dueAt)
  dueAt = Math.max(dueAt + EVERY_MS, now)
}, EVERY_MS)

process.stdin.on('end', () => {
  clearInterval(timer)
  closeSync(file)
  console.log(longestMs)
})
process.stdin.resume()
