import type { Argument, Command, Option } from 'commander'

export interface Candidate {
  /** The whole word, as it may stand on the command line. */
  readonly value: string
  readonly description: string
}

export interface Completion {
  readonly candidates: readonly Candidate[]
  /** What the shell may offer beside them. */
  readonly paths: 'files' | 'directories' | 'none'
}

/** How a connection string begins, by the option that takes one. */
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  primary: ['sqlite:', 'postgresql://', 'redis://', 'rediss://', 'memory:'],
  backup: ['sqlite:', 'postgresql://', 'redis://', 'rediss://', 's3://', 'memory:'],
  wal: ['file:', 'redis-stream://', 'rediss-stream://', 'memory:'],
  cache: ['redis://', 'rediss://', 'memcached://', 'memory:'],
  to: ['primary', 'backup', 'sqlite:', 'postgresql://', 'redis://', 'rediss://'],
}

const NOTHING: Completion = { candidates: [], paths: 'none' }

/**
 * What may stand in the place of the last word.
 *
 * @param words Those behind the name of the program; the last one is begun, or empty.
 */
export function completeWords(program: Command, words: readonly string[]): Completion {
  const word = words.at(-1) ?? ''
  const { command, operands, option, isLiteral } = readWords(program, words.slice(0, -1))
  const { candidates, paths } = offer()
  return { candidates: candidates.filter(({ value }) => value.startsWith(word)), paths }

  function offer(): Completion {
    if (option !== undefined) return valuesOf(option)
    const assigned = isLiteral ? undefined : /^(--[^=]+)=/.exec(word)?.[1]
    if (assigned !== undefined) return assignedValues(command, assigned)
    const isGroup = command.commands.length > 0
    if (isGroup && operands > 0) return NOTHING
    if (word.startsWith('-') && !isLiteral) return optionsOf(command)
    if (isGroup) return commandsOf(command)
    const argument = argumentAt(command, operands)
    if (argument !== undefined) return pathsOf(argument.name(), argument.argChoices)
    return isLiteral ? NOTHING : optionsOf(command)
  }
}

interface Reading {
  readonly command: Command
  /** How many there are so far. */
  readonly operands: number
  /** The option whose value comes next. */
  readonly option: Option | undefined
  /** `--` has been: nothing is an option any more. */
  readonly isLiteral: boolean
}

function readWords(program: Command, words: readonly string[]): Reading {
  let command = program
  let operands = 0
  let option: Option | undefined
  let isLiteral = false
  for (const word of words) {
    if (option !== undefined) option = undefined
    else if (isLiteral) operands++
    else if (word === '--') isLiteral = true
    else if (word.startsWith('-')) option = takingValue(command, word)
    else {
      // What follows `help` is the name of a command all the same.
      if (word === 'help' && command === program && operands === 0) continue
      const next = command.commands.find((one) => one.name() === word)
      if (next === undefined) operands++
      else command = next
    }
  }
  return { command, operands, option, isLiteral }
}

function takingValue(command: Command, word: string): Option | undefined {
  const option = findOption(command, word)
  return option?.required === true ? option : undefined
}

function findOption(command: Command, flag: string): Option | undefined {
  return allOptions(command).find(({ long, short }) => flag === long || flag === short)
}

function allOptions(command: Command): readonly Option[] {
  const help = command.createHelp()
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
}

function optionsOf(command: Command): Completion {
  const candidates = allOptions(command).map(({ long, short, description }) => ({
    value: long ?? short ?? '',
    description,
  }))
  return { candidates, paths: 'none' }
}

function commandsOf(command: Command): Completion {
  const candidates = command
    .createHelp()
    .visibleCommands(command)
    .map((one) => ({ value: one.name(), description: one.description() }))
  return { candidates, paths: 'none' }
}

function argumentAt(command: Command, at: number): Argument | undefined {
  const { registeredArguments } = command
  const last = registeredArguments.at(-1)
  return registeredArguments[at] ?? (last?.variadic === true ? last : undefined)
}

function assignedValues(command: Command, flag: string): Completion {
  const option = takingValue(command, flag)
  if (option === undefined) return NOTHING
  const { candidates, paths } = valuesOf(option)
  const whole = candidates.map(({ value, description }) => ({
    value: `${flag}=${value}`,
    description,
  }))
  return { candidates: whole, paths }
}

function valuesOf(option: Option): Completion {
  const placeholder = /<(\w+)>/.exec(option.flags)?.[1] ?? ''
  const schemes = placeholder === 'url' ? SCHEMES[option.attributeName()] : undefined
  return pathsOf(placeholder, option.argChoices ?? schemes)
}

function pathsOf(placeholder: string, choices: readonly string[] = []): Completion {
  const candidates = choices.map((value) => ({ value, description: '' }))
  const paths =
    placeholder === 'file' ? 'files' : placeholder === 'directory' ? 'directories' : 'none'
  return { candidates, paths }
}
