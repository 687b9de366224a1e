import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { openChatHistory, type ChatHistoryOptions } from '../../src/index.ts'
import { KEPT_MESSAGES } from './erase-options.ts'

const RUN = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url))
const CHILD = fileURLToPath(new URL('./erase-child.ts', import.meta.url))
const ERASED = { timeout: 60_000 }

/** A process saves two conversations, erases one, and dies at the step. */
export async function killedWhileErasing(options: ChatHistoryOptions, step: string): Promise<void> {
  const child = spawn(process.execPath, [RUN, CHILD, JSON.stringify(options), step], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  expect(signal, output).toBe('SIGKILL')
  // What the log writes down later may come after the receipt.
  expect(output).toMatch(/^saved\n/)
}

/**
 * The next process opens the store, as a service that was restarted would, and asks for the erase
 * again if it was not under way yet. `filesWithIt` names what still has bytes of it.
 */
export async function expectErased(
  options: ChatHistoryOptions,
  filesWithIt: () => Promise<readonly string[]>,
): Promise<void> {
  const history = await openChatHistory(options)
  onTestFinished(() => history.close())
  if ((await history.listErasures()).length === 0) await history.eraseConversation('doomed')
  await expect
    .poll(async () => (await history.listErasures()).every(({ complete }) => complete), ERASED)
    .toBe(true)
  expect((await history.getHistory('doomed')).messages).toEqual([])
  expect(await history.countMessages('kept')).toBe(KEPT_MESSAGES)
  await expect.poll(filesWithIt, ERASED).toEqual([])
  await history.flush()
  await history.close()
  expect(await filesWithIt()).toEqual([])

  const again = await openChatHistory(options)
  onTestFinished(() => again.close())
  expect(await again.countMessages('kept')).toBe(KEPT_MESSAGES)
  expect(await again.countMessages('doomed')).toBe(0)
}
