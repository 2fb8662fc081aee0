import { chmod, mkdtemp, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import type { LearnedPermissions } from '../contract/learned-permissions.ts'
import { isPhantomError, PhantomError } from '../contract/phantom-error.ts'
import { commonOptions, type CommonOptions } from './common-options.ts'
import { addToManifest } from './edit-manifest.ts'
import { examples } from './help-examples.ts'
import { readInput } from './json-input.ts'
import { diffText } from './line-diff.ts'
import { shortPath } from './manifest-issue.ts'
import { paint, printJson, printLines } from './output.ts'
import { printable, printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { wholeNumber } from './whole-number.ts'

const ENVIRONMENT = 'development'
const MAX_TIMEOUT_MS = 86_400_000

interface Asked {
  readonly pluginId: string
  readonly operation: string
  readonly input: unknown
  readonly workspace: string | undefined
  readonly timeoutMs: number | undefined
}

/** How the observed call ended; an error is what a person has to know to go on. */
interface Observed {
  readonly learned: LearnedPermissions
  readonly manifest: string
  readonly error: string | null
}

interface LearnReport extends Observed {
  readonly before: string
  readonly after: string
  readonly written: boolean
}

export function defineLearn(program: Command): void {
  program
    .command('learn')
    .argument('<plugin>', 'id of the plugin')
    .argument(
      '<operation...>',
      'behind "--": the operation, and --input, --workspace, --timeout as of "phantom run"',
    )
    .usage('[options] <plugin> -- <operation> [--input <json>] [--workspace <dir>] [--timeout <ms>]')
    .description('run an operation observed, and print the permissions that it needs')
    .option('--write', "put what is missing into the plugin's plugin.toml; comments stay")
    .addHelpText(
      'after',
      examples(
        `phantom learn report -- load --input '{"path":"data/a.csv"}'`,
        'phantom learn report --write -- load --input @input.json',
      ),
    )
    .action(async (pluginId: string, tail: string[], own: { write?: boolean }, command: Command) => {
      const options = commonOptions(command)
      const observed = await observe(await readTail(pluginId, tail), options)
      const before = await readFile(observed.manifest, 'utf8')
      const after = addToManifest(before, observed.learned.to_add)
      const written = own.write === true && after !== before
      if (written) await writeWhole(observed.manifest, after)
      if (observed.error !== null) process.exitCode = CLI_EXIT_CODES.plugin_failed
      const report = { ...observed, before, after, written }
      if (options.json) return printJson(toJson(report))
      printLines(formatLearned(report))
    })
}

/** What stands behind `--` is this command's to read: commander takes all of it for names. */
async function readTail(pluginId: string, tail: readonly string[]): Promise<Asked> {
  const inner = new Command('phantom learn PLUGIN --')
    .argument('<operation>')
    .option('--input <json>')
    .option('--workspace <dir>')
    .option('--timeout <ms>', '', wholeNumber(1, MAX_TIMEOUT_MS, 'whole milliseconds'))
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .parse(tail, { from: 'user' })
  const { input, workspace, timeout } = inner.opts<{ input?: string; workspace?: string; timeout?: number }>()
  return {
    pluginId,
    operation: inner.args[0] ?? '',
    input: await readInput(input),
    workspace: workspace === undefined ? undefined : path.resolve(workspace),
    timeoutMs: timeout,
  }
}

/** In a daemon of its own, which observes: one that runs already goes on enforcing. */
async function observe(asked: Asked, options: CommonOptions): Promise<Observed> {
  if (options.environment !== undefined && options.environment !== ENVIRONMENT) {
    throw new PhantomError(
      'PARAMS_INVALID',
      `Cannot observe a plugin in the environment "${options.environment}": only "${ENVIRONMENT}" may observe. Leave the option out`,
      { details: { environment: options.environment } },
    )
  }
  const state = await mkdtemp(path.join(os.tmpdir(), 'phantom-learn-'))
  process.env['PHANTOM_PERMISSIONS_MODE'] = 'observe'
  try {
    const { create_plugin_system } = await import('../client/create-plugin-system.ts')
    await using api = await create_plugin_system(path.resolve(options.plugins), ENVIRONMENT, {
      state_directory: state,
      ...(options.config === undefined ? {} : { config_directory: path.resolve(options.config) }),
    })
    return await callObserved(api, asked)
  } finally {
    delete process.env['PHANTOM_PERMISSIONS_MODE']
    await rm(state, { recursive: true, force: true })
  }
}

async function callObserved(api: PluginSystemApi, asked: Asked): Promise<Observed> {
  const { pluginId, operation, input, workspace, timeoutMs } = asked
  const call = () =>
    api.execute_plugin(pluginId, operation, input, {
      ...(workspace === undefined ? {} : { workspace }),
      ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }),
    })
  const error = await withNearest(api, { pluginId, operation }, call).then(
    (result) => (result.success ? null : (result.error ?? 'it gave no reason')),
    (thrown: unknown) => {
      // Without a process nothing was observed; else the call got as far as it got.
      if (!isPhantomError(thrown) || NOT_RUN.has(thrown.code)) throw thrown
      return thrown.message
    },
  )
  const learned = await api.get_learned_permissions(pluginId)
  const { path: folder } = await api.get_plugin_info(pluginId)
  return { learned, manifest: await realpath(path.join(folder, 'plugin.toml')), error }
}

const NOT_RUN: ReadonlySet<string> = new Set([
  'PLUGIN_NOT_FOUND',
  'PLUGIN_BLOCKED',
  'PLUGIN_DISABLED',
  'PLUGIN_RUNTIME_UNAVAILABLE',
  'MANIFEST_INVALID',
  'CONFIG_INVALID',
  'OPERATION_NOT_FOUND',
  'INPUT_INVALID',
  'WORKSPACE_DENIED',
  'SANDBOX_UNAVAILABLE',
  'DAEMON_LOST',
])

/** The manifest that would do, what it changes, and what no manifest does. */
function formatLearned(report: LearnReport, cwd: string = process.cwd()): string[] {
  const { learned, error, before, after, written } = report
  const manifest = printableLine(shortPath(report.manifest, cwd))
  return [
    ...tableOf('permissions', learned.permissions.length === 0 ? [] : [listLine(learned.permissions)]),
    ...tableOf(
      'runtime',
      learned.runtime.map((key) => `${key} = true`),
    ),
    ...(learned.permissions.length + learned.runtime.length === 0 ? ['# It needs no permission'] : []),
    ...learned.unused.map((text) => `# asked for and not used: ${printableLine(text)}`),
    ...learned.notes.map((text) => `# ${printableLine(text)}`),
    ...(error === null
      ? []
      : [
          '',
          `${paint('yellow', 'The operation failed, so what comes after that was not seen:')} ${printable(error)}`,
        ]),
    '',
    ...(before === after ? [`${manifest} asks for all of it`] : diffLines(before, after)),
    ...(before === after
      ? []
      : ['', written ? `Written to ${manifest}` : `Nothing was written: --write puts it into ${manifest}`]),
  ]
}

function tableOf(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`[${name}]`, ...lines]
}

function listLine(permissions: readonly string[]): string {
  return `permissions = [${permissions.map((text) => JSON.stringify(text)).join(', ')}]`
}

function diffLines(before: string, after: string): string[] {
  const marks = { same: '  ', removed: '- ', added: '+ ', gap: '… ' } as const
  const colours = { same: null, removed: 'red', added: 'green', gap: 'gray' } as const
  return diffText(before, after).map(({ kind, text }) => {
    const line = `${marks[kind]}${printableLine(text)}`
    return colours[kind] === null ? line : paint(colours[kind], line)
  })
}

function toJson({ learned, manifest, error, written }: LearnReport) {
  return { ...learned, manifest, error, written }
}

/** Beside the old one and renamed, so that a crash leaves one of the two. */
async function writeWhole(file: string, text: string): Promise<void> {
  const { mode } = await stat(file)
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, text, { flag: 'wx' })
  await chmod(fresh, mode & 0o777)
  await rename(fresh, file)
}
