import path from 'node:path'
import { Option, type Command } from 'commander'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { shortPath } from './manifest-issue.ts'
import { printJson, printLine, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { assertFreeName, displayName } from './scaffold/plugin-name.ts'
import { PLUGIN_KINDS, type PluginKind } from './scaffold/plugin-kinds.ts'
import { writePlugin, type NewPlugin } from './scaffold/write-plugin.ts'
import { TerminalQuestions } from './terminal-questions.ts'

interface NewOptions {
  type?: PluginKind
  directory?: string
  dryRun?: boolean
  force?: boolean
}

const KINDS = Object.keys(PLUGIN_KINDS) as PluginKind[]
const DEFAULT_KIND: PluginKind = 'javascript'

export function defineNew(program: Command): void {
  program
    .command('new')
    .argument('<name>', 'id of the new plugin')
    .description('write a plugin that builds, passes its own test and runs')
    .addOption(new Option('--type <type>', 'what it is written in; asked for at a terminal').choices(KINDS))
    .option('--directory <dir>', 'its folder, instead of one of its name in the plugin directory')
    .option('--dry-run', 'say what would be written, and write nothing')
    .option('--force', 'write into a folder that has files already, over those of the same names')
    .addHelpText(
      'after',
      examples(
        'phantom new my_plugin',
        'phantom new my_plugin --type rust',
        'phantom new my_plugin --type wasm-assemblyscript --directory ../my_plugin --dry-run',
      ),
    )
    .action(async (id: string, own: NewOptions, command: Command) => {
      const options = commonOptions(command)
      assertFreeName(id)
      const kind = own.type ?? (options.json ? DEFAULT_KIND : await askForKind())
      if (kind === null) {
        printLine('Nothing was written: no type was chosen')
        process.exitCode = CLI_EXIT_CODES.usage
        return
      }
      const folder = path.resolve(own.directory ?? path.join(options.plugins, id))
      const plugin = writePlugin(
        { id, name: displayName(id), kind, folder },
        { isDryRun: own.dryRun === true, mayReplace: own.force === true },
      )
      const next = nextSteps(plugin)
      if (options.json) return printJson(described(plugin, next, own.dryRun === true))
      printLines(formatNew(plugin, next, own.dryRun === true))
    })
}

/** Null when whoever is asked goes away. Nobody is there to ask where there is no terminal. */
async function askForKind(): Promise<PluginKind | null> {
  if (!TerminalQuestions.isPossible()) return DEFAULT_KIND
  const width = Math.max(...KINDS.map((kind) => kind.length))
  printLines(KINDS.map((kind) => `  ${kind.padEnd(width)}  ${PLUGIN_KINDS[kind].description}`))
  using questions = new TerminalQuestions()
  return await questions.choose(`Which type? [${DEFAULT_KIND}]: `, KINDS, DEFAULT_KIND)
}

/** Lines to copy, from the folder that the command was run in. */
function nextSteps({ id, kind, folder }: NewPlugin): string[] {
  const place = shellWord(shortPath(folder, process.cwd()))
  const { build, test } = PLUGIN_KINDS[kind]
  const phantom = phantomAsTyped()
  return [
    `(cd ${place} && ${[...build, test].join(' && ')})`,
    `${phantom} validate ${place}`,
    `${phantom} run ${id} greet${pluginsOption(path.dirname(folder))} --input '{"name": "Ada"}'`,
  ]
}

/** npm starts what no shell finds by its name: in the checkout by a script, in a project by npx. It says which it was. */
function phantomAsTyped(): string {
  const byNpm = process.env['npm_lifecycle_event']
  if (byNpm === 'npx') return 'npx phantom'
  return byNpm === 'phantom' ? 'npm run -s phantom --' : 'phantom'
}

function pluginsOption(directory: string): string {
  if (directory === path.resolve('plugins')) return ''
  return ` --plugins ${directory === process.cwd() ? '.' : shellWord(shortPath(directory, process.cwd()))}`
}

function formatNew({ id, kind, folder, files }: NewPlugin, next: string[], isDryRun: boolean): string[] {
  const place = printableLine(shortPath(folder, process.cwd()))
  const { needs } = PLUGIN_KINDS[kind]
  return [
    `${id}  ${kind}  ${place}${isDryRun ? '  nothing was written' : ''}`,
    ...files.map(({ path: file, isReplaced }) => `  ${file}${isReplaced ? '  replaced' : ''}`),
    ...(needs === null ? [] : [`Needs ${needs}`]),
    'Next:',
    ...next.map((step) => `  ${printableLine(step)}`),
  ]
}

function described({ id, kind, folder, files }: NewPlugin, next: string[], isDryRun: boolean): object {
  return {
    plugin_id: id,
    type: kind,
    path: folder,
    files: files.map(({ path: file, isReplaced }) => ({ path: file, replaced: isReplaced })),
    needs: PLUGIN_KINDS[kind].needs,
    next,
    dry_run: isDryRun,
  }
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
