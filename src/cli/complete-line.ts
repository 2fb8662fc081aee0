/** Completion by the words that commander knows; plugins and operations come from outside. */
import path from 'node:path'
import type { Command, Option } from 'commander'

/** Of one plugin; `--plugins` is the folder of all. */
const PLUGIN_OPTION = '--plugin'
const PLUGIN_ARGUMENTS: ReadonlySet<string> = new Set(['plugin', 'sender', 'recipient'])

export interface Candidate {
  word: string
  description: string
}

export interface KnownPlugin {
  id: string
  operations: readonly string[]
}

export interface PluginPlace {
  plugins: string
  socket: string | undefined
}

/** What stands before the word that is completed. */
interface Before {
  command: Command | null
  operands: string[]
  values: Map<string, string>
  /** The option whose value the word is. */
  pending: Option | null
}

export async function completeCommandLine(
  program: Command,
  words: readonly string[],
  findPlugins: (place: PluginPlace) => Promise<KnownPlugin[]>,
): Promise<Candidate[]> {
  const current = words.at(-1) ?? ''
  const before = readWords(program, words.slice(0, -1))
  const candidates = await candidatesFor(program, before, current, findPlugins)
  return candidates.filter(({ word }) => word.startsWith(current))
}

function readWords(program: Command, words: readonly string[]): Before {
  const before: Before = { command: null, operands: [], values: new Map(), pending: null }
  for (const word of words) {
    if (before.pending !== null) {
      before.values.set(before.pending.attributeName(), word)
      before.pending = null
    } else if (word.startsWith('-') && word !== '-') readOption(program, before, word)
    else readOperand(program, before, word)
  }
  return before
}

/** A command's name, the name of one below it (`config get`), or an operand. */
function readOperand(program: Command, before: Before, word: string): void {
  if (before.command === null) before.command = commandNamed(program, word)
  else if (!isGroup(before.command)) before.operands.push(word)
  else before.command = commandNamed(before.command, word) ?? before.command
}

function readOption(program: Command, before: Before, word: string): void {
  const [flag = word, value] = word.split(/=(.*)/s, 2)
  const option = optionsOf(program, before.command).find(
    (known) => known.short === flag || known.long === flag,
  )
  if (option?.required !== true) return
  if (value === undefined) before.pending = option
  else before.values.set(option.attributeName(), value)
}

async function candidatesFor(
  program: Command,
  before: Before,
  current: string,
  findPlugins: (place: PluginPlace) => Promise<KnownPlugin[]>,
): Promise<Candidate[]> {
  const { pending } = before
  if (pending?.long === PLUGIN_OPTION) {
    return (await findPlugins(placeOf(program, before))).map(({ id }) => plainCandidate(id))
  }
  if (pending !== null) return (pending.argChoices ?? []).map(plainCandidate)
  if (current.startsWith('-')) return optionsOf(program, before.command).map(optionCandidate)
  if (before.command === null) return visibleCommands(program).map(commandCandidate)
  if (isGroup(before.command)) return visibleCommands(before.command).map(commandCandidate)
  const argument = before.command.registeredArguments[before.operands.length]
  if (before.command.name() === 'help') return visibleCommands(program).map(commandCandidate)
  if (argument?.argChoices !== undefined) return argument.argChoices.map(plainCandidate)
  const wanted = argument?.name() ?? ''
  if (!PLUGIN_ARGUMENTS.has(wanted) && wanted !== 'operation') return []
  const plugins = await findPlugins(placeOf(program, before))
  if (wanted !== 'operation') return plugins.map(({ id }) => plainCandidate(id))
  return plugins.find(({ id }) => id === before.operands[0])?.operations.map(plainCandidate) ?? []
}

function placeOf(program: Command, before: Before): PluginPlace {
  // The hidden command itself was given none: what is left are the variable and the default.
  const plugins = before.values.get('plugins') ?? program.opts<{ plugins: string }>().plugins
  return { plugins: path.resolve(plugins), socket: before.values.get('socket') }
}

function optionsOf(program: Command, command: Command | null): Option[] {
  const own = command === null ? [] : command.createHelp().visibleOptions(command)
  const common = program.createHelp().visibleOptions(program)
  return [...own, ...common.filter((option) => !own.some((other) => other.long === option.long))]
}

function isGroup(command: Command): boolean {
  return command.commands.length > 0
}

function visibleCommands(group: Command): Command[] {
  return group.createHelp().visibleCommands(group)
}

function commandNamed(group: Command, name: string): Command | null {
  return visibleCommands(group).find((command) => command.name() === name) ?? null
}

function optionCandidate(option: Option): Candidate {
  return { word: option.long ?? option.short ?? '', description: option.description }
}

function commandCandidate(command: Command): Candidate {
  return { word: command.name(), description: command.description() }
}

function plainCandidate(word: string): Candidate {
  return { word, description: '' }
}
