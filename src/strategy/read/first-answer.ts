import { isCallersFault, messageOf, StorageError } from '../../core/errors.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { StoreContext } from '../context.ts'
import { HEDGE_BOUNDS, hedgeDelayMs } from '../hedge-delay.ts'

/**
 * Asks one step of a plan after another. The next step begins when the one before has failed, or
 * when it has not answered within the hedge delay: a place that hangs costs that delay, not its
 * deadline. The first wanted answer counts; with none, an unwanted one; else all causes are thrown.
 */
export async function firstAnswer<T>(
  context: StoreContext,
  plan: readonly (readonly DatabasePlace[])[],
  ask: (places: readonly DatabasePlace[]) => Promise<T>,
  isWanted: (answer: T) => boolean,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const errors: unknown[] = []
    let unwanted: { readonly answer: T } | undefined
    let next = 0
    let running = 0
    let settled = false

    const finish = (settle: () => void): void => {
      settled = true
      settle()
    }
    const advance = (): void => {
      if (settled) return
      const places = plan[next]
      if (places !== undefined) {
        next++
        start(places)
      } else if (running === 0) {
        finish(() =>
          unwanted === undefined ? reject(allFailed(errors)) : resolve(unwanted.answer),
        )
      }
    }
    const start = (places: readonly DatabasePlace[]): void => {
      running++
      // The slower one of two that are asked together sets the pace: it is not late yet.
      const delays = places.map((place) => hedgeDelayMs(context, place, HEDGE_BOUNDS))
      const hedge = context.env.setTimer(Math.max(...delays), advance)
      const ended = (): void => {
        hedge.cancel()
        running--
      }
      ask(places).then(
        (answer) => {
          ended()
          if (settled) return
          if (isWanted(answer)) finish(() => resolve(answer))
          else {
            unwanted ??= { answer }
            advance()
          }
        },
        (error: unknown) => {
          ended()
          if (settled) return
          errors.push(error)
          if (isCallersFault(error)) finish(() => reject(error as Error))
          else advance()
        },
      )
    }
    advance()
  })
}

function allFailed(errors: readonly unknown[]): StorageError {
  return new StorageError('UNAVAILABLE', errors.map(messageOf).join('; '), {
    operation: 'read',
    cause: new AggregateError(errors),
  })
}
