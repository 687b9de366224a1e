/** A simple string, such as OK. */
export class Status {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export const OK: Status = new Status('OK')

/** An error of the server; its message begins with its code. */
export class RedisError extends Error {
  override readonly name = 'RedisError'
}

/** What the server answers. A string has one character for each byte. */
export type Reply = string | number | null | Status | readonly Reply[]
