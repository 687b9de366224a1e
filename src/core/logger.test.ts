import { expect, onTestFinished, test } from 'vitest'
import { harmlessLogger, type Logger } from './logger.ts'

test('a logger is told as it is, and none of its failures gets out', async () => {
  const unhandled: unknown[] = []
  const listener = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', listener)
  onTestFinished(() => void process.off('unhandledRejection', listener))
  const told: unknown[] = []
  const given = {
    debug() {
      throw new Error('its stream has ended')
    },
    warn(this: unknown, fields: object, message: string) {
      told.push(this === given, fields, message)
    },
    error: async () => await Promise.reject(new Error('its stream has ended')),
  }
  const logger = harmlessLogger(given as unknown as Logger)
  logger.debug({}, 'a')
  logger.info({}, 'b')
  logger.warn({ x: 1 }, 'c')
  logger.error({}, 'd')
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toEqual([true, { x: 1 }, 'c'])
  expect(unhandled).toEqual([])
})
