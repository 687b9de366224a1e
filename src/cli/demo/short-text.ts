/** What of a message is looked at. */
interface Said {
  readonly role: string
  readonly content: string | null
  readonly toolCalls?: unknown
}

/** The beginning of what a message says, for a table. Takes what `JSON.stringify` made of it. */
export function shortText(text: string, lengthMax: number): string {
  const { role, content, toolCalls } = JSON.parse(text) as Said
  const said = content ?? `calls ${nameOf(toolCalls)}`
  const whole = `${role}: ${said}`
  const characters = Array.from(whole)
  return characters.length <= lengthMax ? whole : `${characters.slice(0, lengthMax - 1).join('')}…`
}

function nameOf(toolCalls: unknown): string {
  const [call] = toolCalls as { readonly function: { readonly name: string } }[]
  return call!.function.name
}
