import type { Operation } from '../../core/operation.ts'
import type { StoreContext } from '../context.ts'
import type { WriteGroup, WriteOutcome, WritePort } from './write-port.ts'

/** Told what was acknowledged. */
export type WriteListener = (operations: readonly Operation[]) => void

/** The same port, which tells the listeners what it acknowledges. */
export function announced(port: WritePort, listeners: ReadonlySet<WriteListener>): WritePort {
  const { name, config, needsLog } = port
  // Required: what a port has besides must not be lost on the way.
  const told: Required<WritePort> = {
    name,
    config,
    valuesOnly: port.valuesOnly === true,
    needsLog,
    judgesConditions: port.judgesConditions === true,
    async write(context: StoreContext, group: WriteGroup): Promise<WriteOutcome> {
      const outcome = await port.write(context, group)
      for (const listener of listeners) listener(outcome.operations)
      return outcome
    },
  }
  return told
}
