/** On a Node that is too old for the command line: the one on which it is started again. The launcher carries it. */
import { findRuntime, type FoundRuntime } from '../client/find-runtime.ts'
import { provideRuntime } from '../client/provide-runtime.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { isPhantomError } from '../contract/phantom-error.ts'
import { PACKAGE_VERSION } from '../contract/version.ts'
import { exitCodeOfSignal } from './foreground.ts'

/** Common options that are followed by a value: the first word after them is the command. */
const WITH_VALUE: ReadonlySet<string> = new Set(['--plugins', '--socket', '--environment', '--config'])
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

type Runtime = Pick<FoundRuntime, 'path' | 'version'>

/** An exit code where the command is done with already. @throws PhantomError RUNTIME_NOT_FOUND */
export async function runtimeFor(args: readonly string[]): Promise<Runtime | number> {
  const command = commandOf(args)
  if (command === null && args.some((arg) => arg === '--version' || arg === '-V')) {
    process.stdout.write(`${PACKAGE_VERSION}\n`)
    return CLI_EXIT_CODES.ok
  }
  // Nothing is fetched for a shell's TAB.
  if (command === '__complete') return await findRuntime()
  if (asksForHelp(args)) return await runtimeForHelp()
  return command === 'setup' ? await runtimeForSetup(args) : await fetchVisibly(args, false)
}

/** What setup is about may be what is missing. */
async function runtimeForSetup(args: readonly string[]): Promise<Runtime | number> {
  const isDryRun = args.includes('--dry-run')
  const chosen = valueOf(args, '--runtime')
  if (chosen !== null) {
    const { chooseRuntime } = await import('./setup-runtime.ts')
    // Only looked at here: the command writes it down, when it runs on it.
    const { runtime } = await chooseRuntime(chosen, true)
    return runtime
  }
  if (args.includes('--remove-runtime')) {
    const { printRemoval } = await import('./setup-runtime.ts')
    await printRemoval({ isDryRun, json: args.includes('--json') })
    return CLI_EXIT_CODES.ok
  }
  if (isDryRun) return await runtimeForPlan(args)
  const { removeBrokenCopy } = await import('../client/runtime/fetch-runtime.ts')
  await removeBrokenCopy()
  return await fetchVisibly(args, true)
}

async function runtimeForPlan(args: readonly string[]): Promise<Runtime | number> {
  try {
    return await findRuntime()
  } catch (error) {
    if (!isPhantomError(error) || error.details['nothing_fits'] !== true) throw error
    const { printPlannedFetch } = await import('./setup-runtime.ts')
    printPlannedFetch(args.includes('--json'))
    return CLI_EXIT_CODES.ok
  }
}

/** With a line on the terminal; a signal ends it and leaves nothing. */
async function fetchVisibly(args: readonly string[], isAsked: boolean): Promise<Runtime | number> {
  const { FetchLine } = await import('./fetch-line.ts')
  const line = new FetchLine(args.includes('--json'))
  const interrupt = new AbortController()
  let ended: (typeof SIGNALS)[number] | null = null
  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      ended = signal
      interrupt.abort()
    }
    process.once(signal, listener)
    return () => process.off(signal, listener)
  })
  try {
    return await provideRuntime({ signal: interrupt.signal, onProgress: line.update, isAsked })
  } catch (error) {
    if (ended === null) throw error
    return exitCodeOfSignal(ended)
  } finally {
    for (const stop of listeners) stop()
    line.end()
  }
}

/** Such words and nothing else: what follows an option may be its value. */
function asksForHelp(args: readonly string[]): boolean {
  const options = args.filter((arg) => arg.startsWith('-'))
  return args.length === 0 || args[0] === 'help' || (options.length > 0 && options.every(isHelpOption))
}

function isHelpOption(arg: string): boolean {
  return arg === '--help' || arg === '-h'
}

/** Who asks what this is has not asked for 57 MB. */
async function runtimeForHelp(): Promise<Runtime | number> {
  try {
    return await findRuntime()
  } catch (error) {
    if (!isPhantomError(error) || error.details['nothing_fits'] !== true) throw error
    process.stdout.write(HELP)
    return CLI_EXIT_CODES.ok
  }
}

const HELP = `phantom ${PACKAGE_VERSION}: runs plugins, each in a sandboxed process of its own.

Its commands, the help on each of them included, run on Node 26 or newer; this is Node ${process.versions.node}.
  phantom setup                  fetches one from the npm registry, once; any other command does so by itself
  phantom setup --runtime PATH   takes one that is there
  phantom setup --dry-run        says what would be done
  phantom --version              prints the version
What commands there are: README.md and docs/operations.md of the package @phantom-ml/core.
`

function commandOf(args: readonly string[]): string | null {
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] ?? ''
    if (WITH_VALUE.has(arg)) at += 1
    else if (!arg.startsWith('-')) return arg
  }
  return null
}

/** `--name value` or `--name=value`. */
function valueOf(args: readonly string[], name: string): string | null {
  const at = args.indexOf(name)
  if (at !== -1) return args[at + 1] ?? null
  const joined = args.find((arg) => arg.startsWith(`${name}=`))
  return joined === undefined ? null : joined.slice(name.length + 1)
}
