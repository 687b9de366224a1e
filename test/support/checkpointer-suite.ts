import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deltaChannelHistoryTests, validate } from '@langchain/langgraph-checkpoint-validation'
import { EverthreadSaver } from '../../src/adapters/langgraph.ts'
import type { ChatHistory } from '../../src/index.ts'

// The framework's suite takes them from there. Other files of tests run in processes of their own.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it })

/** Tests of one run of the suite: 718, and 8 of delta channels. */
export const SUITE_LENGTH = 726

let tenants = 0

/** The suite of the framework for savers; each saver is a tenant of its own in one store. */
export function checkpointerSuite(name: string, history: () => ChatHistory): void {
  const initializer = {
    checkpointerName: name,
    createCheckpointer: () => new EverthreadSaver(history().forTenant(`suite ${++tenants}`)),
  }
  validate(initializer)
  deltaChannelHistoryTests(initializer)
}
