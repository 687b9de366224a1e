import { expect, test } from 'vitest'
import type { JsonText } from '../core/json.ts'
import type { Stamp } from '../core/stamp.ts'
import { decodeMessage, messageBody } from './codec.ts'
import type { UserMessage } from './message.ts'

const POSITION = '019ac8a0-0b12-7000-8abc-0123456789ab' as Stamp

function decode(text: string): object {
  const appended = text as JsonText
  const item = { id: 'a', position: POSITION, appendedAt: POSITION, appended }
  return decodeMessage(item)!
}

test('a message has its id first, its fields as they came and the time of its saving', () => {
  const text = JSON.stringify(decode('{"role":"user","content":null,"extra":[1]}'))
  const createdAt = new Date(Number.parseInt('019ac8a00b12', 16)).toISOString()
  expect(text).toBe(
    `{"id":"a","role":"user","content":null,"extra":[1],"createdAt":"${createdAt}"}`,
  )
})

test('a time of its own stays where it came', () => {
  const text = JSON.stringify(decode('{"role":"user","createdAt":"2026-01-01","content":"x"}'))
  expect(text).toBe('{"id":"a","role":"user","createdAt":"2026-01-01","content":"x"}')
})

test('a field named __proto__ stays an own field and changes no prototype', () => {
  const message = decode('{"role":"user","content":"x","__proto__":{"y":1}}')
  expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
  expect(Object.keys(message)).toEqual(['id', 'role', 'content', '__proto__', 'createdAt'])
})

test('a message that is an instance of a class is refused: a copy would lack what the class makes', () => {
  class Question implements UserMessage {
    readonly role = 'user'
    readonly #text = 'x'
    get content(): string {
      return this.#text
    }
  }
  expect(() => messageBody(new Question())).toThrow(
    /^message must be a plain object, got Question$/,
  )
})

test('a message that throws while it is read is refused', () => {
  const message = {
    content: 'x',
    get role(): never {
      throw new TypeError('not now')
    },
  }
  expect(() => messageBody(message)).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: 'message cannot be read: not now',
    }),
  )
})
