/** Nobody reads standard output any more (`everthread export | head`): a quiet end, not a failure. */
export class OutputClosed extends Error {
  constructor() {
    super('standard output was closed')
    this.name = 'OutputClosed'
  }
}
