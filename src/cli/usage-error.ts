/** The command line, the environment or the configuration file has an invalid value. Exit 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}
