/** Any pino-like logger fits. Messages and connection passwords are never handed to it. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nothing = (): void => {}

/** The default: a library says nothing unless it is asked to. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
}

/** A connection string without its password and query secrets, fit for logs and status. */
export function redactUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/i, (_all, scheme: string, user: string) => {
      const name = user.split(':', 1)[0]!
      return name === '' ? `${scheme}***@` : `${scheme}${name}:***@`
    })
    .replace(/([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*/gi, '$1***')
}
