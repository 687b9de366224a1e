/** Any pino-like logger fits. Messages and connection passwords are never handed to it. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nothing = (): void => {}

/** Says nothing: `logger: false`. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
}

/**
 * The logger, whose failures are nobody's: one whose stream has ended throws, and what it would be told of must
 * go on, also in the background, where nobody could catch it.
 */
export function harmlessLogger(logger: Logger): Logger {
  const told = (level: keyof Logger) => (fields: object, message: string) => {
    try {
      const result: unknown = logger[level](fields, message)
      if (result instanceof Promise) result.catch(nothing)
    } catch {
      // There is nowhere left to say so.
    }
  }
  return { debug: told('debug'), info: told('info'), warn: told('warn'), error: told('error') }
}
