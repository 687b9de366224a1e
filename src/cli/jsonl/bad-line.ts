/** A line, or a message in it, that cannot be imported as it is. The message completes "line 7 …". */
export class BadLine extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BadLine'
  }
}
