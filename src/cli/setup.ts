import type { Command } from 'commander'
import { findRuntime } from '../client/find-runtime.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import type { IsolationTier } from '../contract/life.ts'
import {
  decideInstall,
  examineMachine,
  installByApt,
  namedBubblewrap,
  tryBubblewrap,
  type Machine,
} from './bubblewrap.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { paint, printJson, printLine } from './output.ts'
import { printableLine } from './printable.ts'
import { runtimeWords } from './runtime-words.ts'
import { chooseRuntime, removalStep, type RuntimeStep } from './setup-runtime.ts'

/** What a kernel that refuses user namespaces to ordinary users needs (Ubuntu 24.04's AppArmor, older Debian). */
const USERNS_REMEDY =
  'allow user namespaces to ordinary users, sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 ' +
  'or kernel.unprivileged_userns_clone=1, or run the daemon as root'

interface Step extends Omit<RuntimeStep, 'name'> {
  name: 'runtime' | 'bubblewrap' | 'isolation'
}

interface SetupOptions {
  dryRun?: boolean
  runtime?: string
  removeRuntime?: boolean
}

interface SetupReport {
  dry_run: boolean
  /** Null where it was removed. */
  runtime: { path: string; version: string } | null
  /** What a daemon of this user will reach; null where a dry run cannot know. */
  tier: IsolationTier | null
  steps: Step[]
}

export function defineSetup(program: Command): void {
  program
    .command('setup')
    .description(
      'prepare this machine: the Node that plugins run on, and bubblewrap where that needs no password',
    )
    .option('--runtime <path>', 'a Node 26 or newer that daemons shall run on, from now on')
    .option(
      '--remove-runtime',
      'remove the private copy of Node and forget that choice; nothing else is done',
    )
    .option('--dry-run', 'say what would be done, and do nothing')
    .addHelpText(
      'after',
      examples('phantom setup', 'phantom setup --dry-run', 'phantom setup --runtime /opt/node26/bin/node'),
    )
    .action(async (own: SetupOptions, command: Command) => {
      const options = commonOptions(command)
      const report = await setup(own)
      if (options.json) return printJson(report)
      for (const step of report.steps) {
        printLine(
          `${step.ok ? paint('green', '✓') : paint('yellow', '!')} ${step.name}: ${printableLine(step.found)}`,
        )
        if (step.remedy !== null) printLine(`  to mend: ${printableLine(step.remedy)}`)
      }
    })
}

/** Goes on where bubblewrap cannot be had; only a missing runtime is an error. */
async function setup(options: SetupOptions): Promise<SetupReport> {
  const isDryRun = options.dryRun === true
  if (options.removeRuntime === true) {
    if (options.runtime !== undefined) throw contradiction()
    return { dry_run: isDryRun, runtime: null, tier: null, steps: [await removalStep(isDryRun)] }
  }
  const { runtime, step } = await runtimeStep(options.runtime, isDryRun)
  const steps: Step[] = [step]
  const machine = await examineMachine()
  const bubblewrap = await provideBubblewrap(machine, isDryRun)
  steps.push(bubblewrap.step)
  const tier = bubblewrap.isThere
    ? await tierStep(machine, steps)
    : isDryRun && bubblewrap.step.ok
      ? null
      : 'process'
  if (tier === 'process' && !bubblewrap.isThere) steps.push(processTier('bubblewrap is not there', null))
  return { dry_run: isDryRun, runtime, tier, steps }
}

/** One that is missing was fetched by the launcher: this runs on it. */
async function runtimeStep(chosen: string | undefined, isDryRun: boolean) {
  if (chosen !== undefined) return await chooseRuntime(chosen, isDryRun)
  const runtime = await findRuntime()
  const step = { name: 'runtime', ok: true, found: runtimeWords(runtime), remedy: null } as const
  return { runtime: { path: runtime.path, version: runtime.version }, step }
}

function contradiction(): PhantomError {
  return new PhantomError(
    'PARAMS_INVALID',
    'Cannot choose a runtime and remove it at once: --runtime and --remove-runtime contradict. Give one of them',
  )
}

async function provideBubblewrap(
  machine: Machine,
  isDryRun: boolean,
): Promise<{ isThere: boolean; step: Step }> {
  const step = (ok: boolean, found: string, remedy: string | null = null): Step => ({
    name: 'bubblewrap',
    ok,
    found,
    remedy,
  })
  const named = await namedBubblewrap()
  if (named !== null) {
    const found =
      named.file === ''
        ? 'PHANTOM_BWRAP is empty: none'
        : `PHANTOM_BWRAP names ${named.file}${named.isThere ? '' : ', which is no program'}`
    if (named.isThere) return { isThere: true, step: step(true, found) }
    return { isThere: false, step: step(false, found, 'unset PHANTOM_BWRAP') }
  }
  if (machine.programs.has('bwrap')) return { isThere: true, step: step(true, 'there already') }
  const plan = decideInstall(machine)
  if (plan.kind === 'manual') {
    const remedy =
      plan.command ?? (machine.platform === 'linux' ? 'install the package bubblewrap' : 'run on Linux')
    return { isThere: false, step: step(false, 'not there, and not to be had without you', remedy) }
  }
  if (isDryRun) return { isThere: false, step: step(true, `not there; would run: ${plan.command}`) }
  const failure = await installByApt(plan.prefix)
  if (failure === null) return { isThere: true, step: step(true, `installed: ${plan.command}`) }
  return { isThere: false, step: step(false, `not installed: ${failure}`, plan.command) }
}

async function tierStep(machine: Machine, steps: Step[]): Promise<IsolationTier> {
  const failure = await tryBubblewrap(machine.isRoot)
  if (failure !== null) {
    steps.push(
      processTier(`bubblewrap cannot make a sandbox (${failure})`, machine.isRoot ? null : USERNS_REMEDY),
    )
    return 'process'
  }
  const found = 'tier namespace; "phantom doctor" shows what holds a plugin here'
  steps.push({ name: 'isolation', ok: true, found, remedy: null })
  return 'namespace'
}

function processTier(why: string, remedy: string | null): Step {
  const found = `tier process: ${why}, so Node's permission model, rlimits and monitoring alone hold a plugin`
  return { name: 'isolation', ok: false, found, remedy }
}
