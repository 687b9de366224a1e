/*
 * The few answers of the protocol that are XML. They are flat lists of elements, so they are read
 * with patterns: no entity can be declared, and nothing is nested that could be mistaken.
 */

/** One object as a list shows it. */
export interface ListedObject {
  readonly name: string
  readonly bytes: number
  /** When it was written, by the server's clock. Unix milliseconds. */
  readonly modifiedMs: number
}

export interface ListAnswer {
  readonly objects: readonly ListedObject[]
  readonly isTruncated: boolean
}

/** What `GET ?list-type=2&encoding-type=url` answers. */
export function parseList(xml: string): ListAnswer {
  const objects = [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)].map(([, entry]) => ({
    name: decodeURIComponent(element(entry!, 'Key').replaceAll('+', ' ')),
    bytes: Number(element(entry!, 'Size')),
    modifiedMs: Date.parse(element(entry!, 'LastModified')),
  }))
  return { objects, isTruncated: element(xml, 'IsTruncated') === 'true' }
}

/** True for a document whose outermost element is this one. */
export function hasRoot(xml: string, name: string): boolean {
  return new RegExp(`^(?:\\uFEFF)?\\s*(?:<\\?[^>]*>\\s*)*<${name}[\\s/>]`).test(xml)
}

/** The text of the first such element; empty when there is none. */
export function element(xml: string, name: string): string {
  const match = new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`).exec(xml)
  return match === null ? '' : unescape(match[1]!)
}

/** The errors of a delete of several objects. */
export function parseDeleteErrors(xml: string): readonly string[] {
  return [...xml.matchAll(/<Error>([\s\S]*?)<\/Error>/g)].map(
    ([, entry]) => `${element(entry!, 'Key')}: ${element(entry!, 'Code')}`,
  )
}

export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function unescape(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replace(/&#(x?)([0-9a-f]+);/gi, (_all, hex: string, digits: string) =>
      String.fromCodePoint(Number.parseInt(digits, hex === '' ? 10 : 16)),
    )
    .replaceAll('&amp;', '&')
}
