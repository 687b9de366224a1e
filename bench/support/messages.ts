import { encodeJson, type JsonText } from '../../src/core/json.ts'
import type { AppendOperation } from '../../src/core/operation.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { randomBytes } from 'node:crypto'

/** About 660 bytes as JSON, which is what a message of an agent has on average. */
export const BODY = {
  role: 'assistant',
  content: 'The flight leaves at nine and arrives at noon. '.repeat(13),
} as const

const VALUE: JsonText = encodeJson(BODY)

/** Makes the operations that saves are made of. */
export function appendMaker(): (key: string) => AppendOperation {
  const clock = new StampClock({ now: () => Date.now(), writer: randomBytes(8) })
  return (key) => {
    const stamp = clock.tick(key)
    return { kind: 'put', change: 'append', key, id: stamp, position: stamp, stamp, value: VALUE }
  }
}
