import type { JsonText } from '../../src/core/json.ts'
import type { AppendOperation } from '../../src/core/operation.ts'
import { StampClock, type Stamp } from '../../src/core/stamp.ts'

const clock = new StampClock({
  now: () => Date.now(),
  writer: crypto.getRandomValues(new Uint8Array(8)),
})

/** A stamp greater than all before. */
export function nextStamp(): Stamp {
  return clock.tick()
}

/** An append of a new message, with an id of its own or the caller's. */
export function message(key: string, value: unknown = 'hello', id?: string): AppendOperation {
  const stamp = nextStamp()
  const text = JSON.stringify(value) as JsonText
  return {
    kind: 'put',
    change: 'append',
    key,
    id: id ?? stamp,
    position: stamp,
    stamp,
    value: text,
  }
}
