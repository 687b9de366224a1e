// A process that saves messages to a SQLite file, several at once, and prints each acknowledged id.
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { append } from '../../src/testing/backend/operations.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { randomBytes } from 'node:crypto'

const [path, writer] = process.argv.slice(3)
const backend = new SqliteBackend({ path: path! })
await backend.connect()
const clock = new StampClock({ now: () => Date.now(), writer: randomBytes(8) })

async function save(): Promise<void> {
  for (;;) {
    const group = [0, 1].map(() => append(`list ${writer}`, clock.tick(), 'x'.repeat(500)))
    await backend.apply(group, { decide: true })
    // Written at once: what is in this process's memory dies with it.
    process.stdout.write(`${group.map(({ id }) => id).join('\n')}\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, save))
