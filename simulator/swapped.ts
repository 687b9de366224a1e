/** The key of a conversation's swapped value. */
export function swappedKey(conversation: string): string {
  return `swapped/${conversation}`
}

/** Of every second conversation the primary alone judges. */
export function swappedByPrimary(conversation: string): boolean {
  return Number(conversation.slice(1)) % 2 === 0
}
