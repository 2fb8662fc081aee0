import path from 'node:path'
import type { Command } from 'commander'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import { CLI_EXIT_CODES } from '../contract/exit-codes.ts'
import type { PluginConfigValidation } from '../contract/plugin-config.ts'
import { commonOptions } from './common-options.ts'
import type { ConfigText } from './config-text.ts'
import { examples } from './help-examples.ts'
import { formatIssue } from './manifest-issue.ts'
import { openSystem } from './open-system.ts'
import { noteLine, paint, printJson, printLines } from './output.ts'
import { printableLine } from './printable.ts'
import { withNearest } from './suggest-plugin.ts'
import { readStdin, readTextFile } from './text-file.ts'

export function defineConfigValidate(config: Command): void {
  config
    .command('validate')
    .argument('<plugin>', 'id of the plugin')
    .argument('[file]', 'a configuration of it, YAML or JSON; - for stdin (default: its own file)')
    .description("check a plugin's configuration without writing it; exit code 8 when it is invalid")
    .addHelpText(
      'after',
      examples('phantom config validate data_processor', 'phantom config validate data_processor new.yaml'),
    )
    .action(async (pluginId: string, file: string | undefined, _own: unknown, command: Command) => {
      const options = commonOptions(command)
      const named = file === undefined ? null : await readConfig(file)
      await using system = await openSystem(options)
      const { api } = system
      const validation = await withNearest(api, { pluginId }, () => validate(api, pluginId, named))
      if (!validation.valid) process.exitCode = CLI_EXIT_CODES.invalid
      if (options.json) return printJson(validation)
      printLines(formatConfigValidation(pluginId, validation))
      if (validation.valid && !validation.asked_plugin)
        noteLine('The plugin itself was not asked: no process of it runs')
    })
}

async function validate(
  api: PluginSystemApi,
  pluginId: string,
  named: ConfigText | null,
): Promise<PluginConfigValidation> {
  const { withPlaces } = await import('./config-text.ts')
  const text = named ?? (await ownFile(api, pluginId))
  if (text === null) return await api.validate_plugin_config(pluginId, {})
  return withPlaces(await api.validate_plugin_config(pluginId, text.config), text)
}

/** Null where there is none yet: then the defaults alone are checked. */
async function ownFile(api: PluginSystemApi, pluginId: string): Promise<ConfigText | null> {
  const info = await api.get_plugin_config(pluginId)
  return info.revision === null ? null : await readConfig(info.path)
}

async function readConfig(file: string): Promise<ConfigText> {
  const { parseConfigText } = await import('./config-text.ts')
  if (file === '-') return parseConfigText(await readStdin('YAML'), 'stdin')
  return parseConfigText(await readTextFile(file, 'YAML'), path.resolve(file))
}

/** Issues first, each on its line; then one line with the verdict. */
export function formatConfigValidation(
  pluginId: string,
  validation: PluginConfigValidation,
  cwd: string = process.cwd(),
): string[] {
  const mark = validation.valid ? paint('green', '✓') : paint('red', '✗')
  return [
    ...validation.issues.map((issue) => formatIssue(issue, cwd)),
    `${mark} configuration of ${printableLine(pluginId)}  ${validation.valid ? 'valid' : 'invalid'}`,
  ]
}
