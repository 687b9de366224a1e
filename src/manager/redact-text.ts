import { redactUrl } from '../core/logger.ts'

/** Any text, such as a driver's error, without the passwords of the URLs in it and these secrets. */
export function redactText(text: string, secrets: readonly string[]): string {
  let redacted = text.replace(/[a-z][a-z0-9+.-]*:\/\/[^\s'"<>]+/gi, redactUrl)
  for (const secret of secrets) redacted = redacted.replaceAll(secret, '***')
  return redacted
}

/** The passwords inside a source: a connection string, or a configuration with `url` or `password`. */
export function secretsOf(source: unknown): readonly string[] {
  if (typeof source === 'string') return passwordsOf(source)
  if (typeof source !== 'object' || source === null) return []
  const { url, password } = source as { url?: unknown; password?: unknown }
  const secrets = typeof url === 'string' ? passwordsOf(url) : []
  return typeof password === 'string' && password !== '' ? [...secrets, password] : secrets
}

/** The password of a URL as it is written and as it is meant. */
function passwordsOf(url: string): readonly string[] {
  const written = URL.canParse(url) ? new URL(url).password : ''
  if (written === '') return []
  try {
    return [...new Set([written, decodeURIComponent(written)])]
  } catch {
    return [written]
  }
}
