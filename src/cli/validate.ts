import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import type { PluginValidation } from '../contract/system-methods.ts'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { formatIssue, shortPath } from './manifest-issue.ts'
import { openSystemAnywhere } from './open-system.ts'
import { paint, printJson, printLine } from './output.ts'
import { printableLine } from './printable.ts'

const MANIFEST_FILE = 'plugin.toml'

export function defineValidate(program: Command): void {
  program
    .command('validate')
    .argument('<path...>', 'folders of plugins, or their plugin.toml')
    .description('check plugins without running them; exit code 8 when one is invalid')
    .addHelpText(
      'after',
      examples('phantom validate plugins/data_processor', 'phantom validate plugins/* --json'),
    )
    .action(async (paths: string[], _own: unknown, command: Command) => {
      const options = commonOptions(command)
      const folders: string[] = []
      for (const named of paths) folders.push(await pluginFolder(named))
      await using system = await openSystemAnywhere(options)
      const validations: PluginValidation[] = []
      for (const folder of folders) validations.push(await system.api.validate_plugin(folder))
      if (validations.some((validation) => !validation.valid)) process.exitCode = CLI_EXIT_CODES.invalid
      if (options.json) return printJson(validations)
      for (const line of validations.flatMap((validation) => formatValidation(validation))) printLine(line)
    })
}

/** Issues first, each on its line; then one line with the verdict. */
export function formatValidation(validation: PluginValidation, cwd: string = process.cwd()): string[] {
  const mark = validation.valid ? paint('green', '✓') : paint('red', '✗')
  const name = validation.plugin_id === null ? '' : `${printableLine(validation.plugin_id)}  `
  const verdict = validation.valid ? 'valid' : 'invalid'
  const place = printableLine(shortPath(validation.path, cwd))
  return [...validation.issues.map((issue) => formatIssue(issue, cwd)), `${mark} ${name}${place}  ${verdict}`]
}

async function pluginFolder(named: string): Promise<string> {
  const absolute = path.resolve(named)
  try {
    const isManifest = (await stat(absolute)).isFile() && path.basename(absolute) === MANIFEST_FILE
    return isManifest ? path.dirname(absolute) : absolute
  } catch (cause) {
    const errno = cause instanceof Error && 'code' in cause ? cause.code : null
    const found = errno === 'ENOENT' ? `there is nothing there, seen from ${process.cwd()}` : String(errno)
    const message = `Cannot validate "${named}": ${found}. Name a plugin's folder or its ${MANIFEST_FILE}`
    throw new PhantomError('PARAMS_INVALID', message, { cause, details: { path: absolute, errno } })
  }
}
