/**
 * Every secret in these settings, longest first, so that it can be taken out of what is printed
 * even where a driver put its whole connection string into an error.
 */
export function secretsOf(settings: object): readonly string[] {
  const secrets = new Set<string>()
  collect(settings, '', secrets, 0)
  return [...secrets].sort((a, b) => b.length - a.length)
}

/** The text without the secrets. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}

const SECRET_FIELD = /password|passwd|secret|token/i
const DEPTH_MAX = 8

function collect(value: unknown, field: string, secrets: Set<string>, depth: number): void {
  if (typeof value === 'string') {
    if (SECRET_FIELD.test(field)) add(value, secrets)
    addUrl(value, secrets)
  } else if (isPlain(value) && depth < DEPTH_MAX) {
    for (const [name, inner] of Object.entries(value)) collect(inner, name, secrets, depth + 1)
  }
}

/** A configuration may hold a driver's client: its inside is not ours to read. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}

function addUrl(url: string, secrets: Set<string>): void {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^:/?#]*:([^?#]*)@/i.exec(url)?.[1]
  if (password !== undefined) add(password, secrets)
  for (const [, name, value] of url.matchAll(/[?&]([^=&]+)=([^&#]*)/g)) {
    if (SECRET_FIELD.test(name!)) add(value!, secrets)
  }
}

function add(secret: string, secrets: Set<string>): void {
  // Shorter ones would blank out ordinary text and hide nothing.
  if (secret.length < 4) return
  secrets.add(secret)
  try {
    secrets.add(decodeURIComponent(secret))
  } catch {
    // Not percent-encoded: the text itself is the secret.
    secrets.add(secret)
  }
}
