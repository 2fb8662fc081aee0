/** Runs another program in our place: its stdio is ours, signals go to it, its end is ours. Runs on Node 20. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { PhantomError } from '../contract/phantom-error.ts'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
const SIGNAL_EXIT_BASE = 128
/** What nobody sends: the program could not go on, and had no words for it. */
const CRASHES: ReadonlySet<NodeJS.Signals> = new Set(['SIGSEGV', 'SIGBUS', 'SIGILL'])

export interface ForegroundProgram {
  file: string
  args: readonly string[]
  env?: NodeJS.ProcessEnv
}

/** What a shell reports for a program that a signal ended: 128 and the signal's number. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return SIGNAL_EXIT_BASE + constants.signals[signal]
}

/** Resolves with the exit code. */
export function runInForeground(program: ForegroundProgram): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program.file, program.args, { stdio: 'inherit', env: program.env ?? process.env })
    const stop = forwardSignals((signal) => child.kill(signal))
    child.once('error', (cause) => {
      stop()
      const message = `Cannot run "${program.file}": ${cause.message}. Run "phantom setup", or set PHANTOM_RUNTIME to a Node that runs`
      reject(new PhantomError('RUNTIME_NOT_FOUND', message, { cause }))
    })
    child.once('exit', (code, signal) => {
      stop()
      if (signal !== null && CRASHES.has(signal))
        process.stderr.write(
          `"${program.file}" was ended by ${signal}. If its file is damaged, "phantom setup" fetches another\n`,
        )
      resolve(signal === null ? (code ?? SIGNAL_EXIT_BASE) : exitCodeOfSignal(signal))
    })
  })
}

function forwardSignals(send: (signal: NodeJS.Signals) => void): () => void {
  const forward = (signal: NodeJS.Signals): void => {
    if (!isSentByTerminal(signal)) send(signal)
  }
  for (const signal of FORWARDED) process.on(signal, forward)
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward)
  }
}

/**
 * A terminal sends Ctrl-C to every process of the foreground group, so the child has it already; sent once more
 * it would count as the second press, which leaves without waiting.
 */
function isSentByTerminal(signal: NodeJS.Signals): boolean {
  const isKeySignal = signal === 'SIGINT' || signal === 'SIGQUIT'
  return isKeySignal && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY)
}
