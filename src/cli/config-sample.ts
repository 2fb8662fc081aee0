import type { Command } from 'commander'
import { commonOptions } from './common-options.ts'
import { examples } from './help-examples.ts'
import { printJson, printLines } from './output.ts'
import { printable } from './printable.ts'

export function defineConfigSample(config: Command): void {
  config
    .command('sample')
    .argument('<plugin>', 'id of the plugin')
    .description('print a configuration to start from, as YAML: defaults, and what is required')
    .addHelpText('after', examples('phantom config sample data_processor > new.yaml'))
    .action(async (pluginId: string, _own: unknown, command: Command) => {
      const { create_sample_plugin_config } = await import('../client/sample-plugin-config.ts')
      const options = commonOptions(command)
      const sample = create_sample_plugin_config(pluginId, options.plugins)
      if (options.json) return printJson(sample)
      const { stringify } = await import('yaml')
      printLines(printable(stringify(sample)).trimEnd().split('\n'))
    })
}
