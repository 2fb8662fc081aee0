/** What a failed command says, and the code it exits with. */
import { CommanderError } from 'commander'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { isPhantomError, messageOf, PhantomError } from '../contract/phantom-error.ts'
import { exitCodeOf, type CliExitCode } from './exit-code.ts'
import { noteLine, paint } from './output.ts'
import { printable, printableJson } from './printable.ts'

/** With `--json` one line on stderr, `{"error":{"code","message","details"}}`; stdout belongs to results. */
export function reportError(thrown: unknown, json: boolean): CliExitCode {
  const error = original(thrown)
  if (error instanceof CommanderError && error.exitCode === 0) return CLI_EXIT_CODES.ok
  // Help that nobody asked for (`phantom` alone) has been printed already.
  if (error instanceof CommanderError && error.code === 'commander.help') return CLI_EXIT_CODES.usage

  const known = toPhantomError(error)
  if (json) {
    const { code, message, details } = known
    noteLine(printableJson({ error: { code, message, details } }))
  } else {
    noteLine(`${paint(['red', 'bold'], 'error:', process.stderr)} ${printable(inWords(known))}`)
    if (known !== error && error instanceof Error && known.code === 'INTERNAL_ERROR')
      noteLine(error.stack ?? '')
  }
  return exitCodeOf(known)
}

/** Message, near name and cause, each once. */
export function inWords(error: PhantomError): string {
  const nearest = error.details['nearest']
  const words = [error.message]
  if (typeof nearest === 'string' && !error.message.includes(`"${nearest}"`)) {
    words[0] += `. Did you mean "${nearest}"?`
  }
  const { manifest_table: table, manifest_line: line } = error.details
  // Where the manifest asks for other things already, the whole line is what can be pasted.
  if (typeof line === 'string' && !error.message.includes(line))
    words.push(`  in plugin.toml, [${String(table)}]: ${line}`)
  // Our own messages say their cause; the daemon's chain comes as text.
  const { cause } = error
  if (typeof cause === 'string' && !error.message.includes(cause)) words.push(`  cause: ${cause}`)
  return words.join('\n')
}

/** Disposal that fails after a failure wraps it; the first one is what the person has to know. */
function original(thrown: unknown): unknown {
  return thrown instanceof SuppressedError ? original(thrown.suppressed) : thrown
}

function toPhantomError(error: unknown): PhantomError {
  if (isPhantomError(error)) return error
  if (error instanceof CommanderError) {
    const found = error.message
      .replace(/^error: /, '')
      .replace(/\s*\n\(Did you mean (.*)\?\)$/s, '. Did you mean $1?')
      .replace(/\.$/, '')
    const message = `Cannot read the command line: ${found}${found.endsWith('?') ? '' : '.'} See "phantom --help"`
    return new PhantomError('PARAMS_INVALID', message, { details: { reason: error.code } })
  }
  const message = `Cannot finish the command: ${messageOf(error)}. This is a defect of ours: please report it`
  return new PhantomError('INTERNAL_ERROR', message, { cause: error })
}
