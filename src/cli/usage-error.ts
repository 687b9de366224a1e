/** The command line, the environment or the configuration file asks for what cannot be. Exit 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}
