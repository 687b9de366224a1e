/*
 * Secrets are taken out of what is told: errors of drivers, status, log, terminal. A secret is looked
 * for where it stands as one: as the password of a URL, and as a word of its own. One that happens
 * to be a part of a host's name or of an English word is left there: with *** in its place anybody
 * could read it off.
 */

/** The secrets of a source, in each form in which a driver may show them. */
export type Secrets = readonly string[]

/** Shorter ones are looked for in URLs only: elsewhere they would blank out ordinary text. */
const SECRET_LENGTH_MIN = 4
/**
 * Such a secret may be a word or a number of the text that has nothing to do with it: it is looked for where a
 * password is named.
 */
const ORDINARY = /^(?:[a-z]{1,15}|\d{1,7})$/i
/** `password=`, `"secret":"` and the like. */
const AS_FIELD = String.raw`(?<=(?:[Pp]ass(?:word|wd|phrase)|[Ss]ecret|[Tt]oken)\w{0,20}["']?\s{0,2}[=:]\s{0,2}["']?)`
const SECRET_FIELD = /password|passwd|passphrase|secret|token/i
/** Fields that hold `id:secret`, several separated by commas or line ends. */
const KEYS_FIELD = /^(?:encryption|keys)$/
const DEPTH_MAX = 8
/** No scheme is longer, and a longer text is not searched again from each of its characters. */
const URLS = /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s'"<>]+/gi

/** The text without the passwords of URLs, ours or not, and without these secrets. */
export function redactText(text: string, secrets: Secrets): string {
  if (secrets.length === 0) return text.replace(URLS, redactUrl)
  // The longest first: one may be the beginning of another.
  const known = [...secrets].sort((a, b) => b.length - a.length)
  const inUrl = new RegExp(`:(?:${known.map(escapePattern).join('|')})@`, 'g')
  const long = known.filter(({ length }) => length >= SECRET_LENGTH_MIN)
  const inPlace = text.replace(inUrl, ':***@').replace(URLS, redactUrl)
  const words = long.filter((secret) => !ORDINARY.test(secret))
  // A line feed in JSON is no part of the word behind it.
  const redacted = replaceWords(inPlace, String.raw`(?:(?<=\\[bfnrt])|(?<![\w-]|\w\.))`, words)
  return replaceWords(redacted, AS_FIELD, long)
}

function replaceWords(text: string, before: string, words: readonly string[]): string {
  if (words.length === 0) return text
  const any = words.map(escapePattern).join('|')
  return text.replace(new RegExp(String.raw`${before}(?:${any})(?![\w-]|\.\w)`, 'g'), '***')
}

/**
 * Every secret in a connection string, in a configuration, or in settings that hold several of them.
 * The inside of instances, such as a driver's client, is not looked at.
 */
export function secretsOf(source: unknown): Secrets {
  const secrets = new Set<string>()
  collect(source, '', secrets, 0)
  return [...secrets]
}

function redactUrl(url: string): string {
  return url
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)@/i, (_all, scheme: string, user: string) => {
      const name = user.split(':', 1)[0]!
      return name === '' ? `${scheme}***@` : `${scheme}${name}:***@`
    })
    .replace(/([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&#]*/gi, '$1***')
}

function collect(value: unknown, field: string, secrets: Set<string>, depth: number): void {
  if (typeof value === 'string') collectText(value, field, secrets)
  else if (isPlain(value) && depth < DEPTH_MAX) {
    for (const [name, inner] of Object.entries(value)) {
      if (isSpokenOf(value, name, inner)) continue
      // The keys of a list have the name of the list.
      collect(inner, Array.isArray(value) ? field : name, secrets, depth + 1)
    }
  }
}

/** True for a password that is the user's name, the host's or the database's, too: these may be told. */
function isSpokenOf(fields: object, name: string, secret: unknown): boolean {
  if (!SECRET_FIELD.test(name)) return false
  return Object.entries(fields).some(
    ([other, value]) => other !== name && !SECRET_FIELD.test(other) && value === secret,
  )
}

function collectText(text: string, field: string, secrets: Set<string>): void {
  if (SECRET_FIELD.test(field)) add(text, secrets)
  if (KEYS_FIELD.test(field)) {
    for (const [, key] of text.matchAll(/[^\s,:]+:([^\s,]+)/g)) add(key!, secrets)
  }
  // Up to the last @: a password may contain one, and a slash, although neither should be raw.
  const [, user, password, rest] =
    /^[a-z][a-z0-9+.-]*:\/\/([^:/?#]*):([^?#]*)@([^?#]*)/i.exec(text) ?? []
  // As a word of its own it may be the user, the host or the database: in the URL it is found still.
  const isWord = rest?.split(/[:/,]/).includes(password!) === true || user === password
  if (password !== undefined && !isWord) add(password, secrets)
  for (const [, name, value] of text.matchAll(/[?&]([^=&]+)=([^&#]*)/g)) {
    if (SECRET_FIELD.test(name!)) add(value!, secrets)
  }
}

/** As it is written, as it is meant, and as a driver may write it. */
function add(secret: string, secrets: Set<string>): void {
  if (secret === '') return
  secrets.add(secret)
  const meant = decoded(secret)
  const encoded = encodeURIComponent(meant)
  secrets.add(meant)
  secrets.add(encoded)
  secrets.add(encoded.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not percent-encoded: the text itself is the secret.
    return text
  }
}

/** A configuration may hold a driver's client: its inside is not ours to read. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}

function escapePattern(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}/-]/g, String.raw`\$&`)
}
