/**
 * The words of a command line as bash would make them, without expanding anything. The last one is where
 * the line ends: empty after a space, and open quotes end with it.
 */
export function splitLine(line: string): string[] {
  const words: string[] = ['']
  let quote = ''
  let isBetween = true
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!
    if (quote === '' && /\s/.test(char)) {
      if (!isBetween) words.push('')
      isBetween = true
      continue
    }
    isBetween = false
    if (char === '\\' && quote !== "'" && i + 1 < line.length) words[words.length - 1] += line[++i]!
    else if (char === quote) quote = ''
    else if (quote === '' && (char === '"' || char === "'")) quote = char
    else words[words.length - 1] += char
  }
  return words
}
