import { expect, test, vi } from 'vitest'

vi.mock('@google/adk', () => ({ BaseSessionService: class {} }))

const { EverthreadSessionService } = await import('./adk.ts')

test('x', () => {
  expect(EverthreadSessionService).toBeDefined()
})
